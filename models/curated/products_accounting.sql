{{ config(materialized='table', contract={'enforced': false}) }}

with

raw as (

    select * from {{ ref('stg_shop__products') }}

),

checked as (

    select * from {{ ref('products_checked') }}

),

curated as (

    select * from {{ ref('products') }}

),

rejected as (

    select * from {{ ref('products_rejected') }}

),

accounting as (

    {{ account_rows(
        raw='raw',
        checked='checked',
        curated='curated',
        rejected='rejected',
        table=products_table(),
    ) }}

)

select * from accounting
