{{ config(
    materialized='table',
    contract={'enforced': false},
    meta={'key_on_lake': none},
) }}

with

fields as (

    select * from {{ ref('stg_shop__events') }}

),

checked as (

    {{ check_rows('fields', events_table()) }}

)

select * from checked
