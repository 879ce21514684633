-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one.
with

accepted as (

    select * from {{ ref('events_checked') }}
    where _reject_reason is null

),

-- Of the rows of one key the first is kept.
ranked as (

    select
        *,
        row_number() over (
            partition by event_id
            order by
                timestamp nulls last,
                event_type nulls last,
                invoice_no nulls last,
                stock_code nulls last,
                description nulls last,
                quantity nulls last,
                price nulls last,
                customer_id nulls last,
                country nulls last
        ) as _copy_number
    from accepted

),

deduplicated as (

    select
        event_id,
        event_type,
        timestamp,
        invoice_no,
        stock_code,
        description,
        quantity,
        price,
        customer_id,
        country
    from ranked
    where _copy_number = 1

)

select * from deduplicated
order by event_id nulls last
