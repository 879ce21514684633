-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one.
with

accounting as (

    {{ account_rows(
        raw=ref('stg_shop__events'),
        checked=ref('events_checked'),
        curated=ref('events'),
        rejected=ref('events_rejected'),
        columns=[
            'event_id',
            'event_type',
            'timestamp',
            'invoice_no',
            'stock_code',
            'description',
            'quantity',
            'price',
            'customer_id',
            'country',
        ],
        key=['event_id'],
    ) }}

)

select * from accounting
