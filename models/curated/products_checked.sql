{{ config(
    materialized='table',
    contract={'enforced': false},
    meta={'key_on_lake': none},
) }}

with

fields as (

    select * from {{ ref('stg_shop__products') }}

),

checked as (

    {{ check_rows('fields', products_table()) }}

)

select * from checked
