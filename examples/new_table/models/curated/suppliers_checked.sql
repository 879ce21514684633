{{ config(
    materialized='table',
    contract={'enforced': false},
    meta={'key_on_lake': none},
) }}

with

fields as (

    select * from {{ ref('stg_shop__suppliers') }}

),

checked as (

    {{ check_rows('fields', suppliers_table()) }}

)

select * from checked
