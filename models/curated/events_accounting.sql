{{ config(materialized='table', contract={'enforced': false}) }}

with

raw as (

    select * from {{ ref('stg_shop__events') }}

),

checked as (

    select * from {{ ref('events_checked') }}

),

curated as (

    select * from {{ ref('events') }}

),

rejected as (

    select * from {{ ref('events_rejected') }}

),

accounting as (

    {{ account_rows(
        raw='raw',
        checked='checked',
        curated='curated',
        rejected='rejected',
        table=events_table(),
    ) }}

)

select * from accounting
