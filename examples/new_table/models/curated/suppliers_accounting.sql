{{ config(
    materialized='table',
    contract={'enforced': false},
    meta={'key_on_lake': none},
) }}

with

accounting as (

    {{ account_rows(
        raw=ref('stg_shop__suppliers'),
        checked=ref('suppliers_checked'),
        curated=ref('suppliers'),
        rejected=ref('suppliers_rejected'),
        table=suppliers_table(),
    ) }}

)

select * from accounting
