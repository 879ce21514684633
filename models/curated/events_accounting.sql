{{ config(
    materialized='table',
    contract={'enforced': false},
    meta={'key_on_lake': none},
) }}

with

accounting as (

    {{ account_rows(
        raw=ref('stg_shop__events'),
        checked=ref('events_checked'),
        curated=ref('events'),
        rejected=ref('events_rejected'),
        table=events_table(),
    ) }}

)

select * from accounting
