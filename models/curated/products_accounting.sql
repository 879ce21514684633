{{ config(
    materialized='table',
    contract={'enforced': false},
    meta={'key_on_lake': none},
) }}

with

accounting as (

    {{ account_rows(
        raw=ref('stg_shop__products'),
        checked=ref('products_checked'),
        curated=ref('products'),
        rejected=ref('products_rejected'),
        table=products_table(),
    ) }}

)

select * from accounting
