with

published_events as (

    select * from {{ built_rows(ref('events')) }}

),

published_before as (

    select
        execution_date,
        event_id
    from {{ ref('event_dates') }}
    where not is_first

),

all_events as (

    select
        ---------- ids
        published_events.event_id,
        published_events.invoice_no,
        coalesce(published_events.stock_code, 'unknown') as stock_code,
        case
            when not {{ is_blank('published_events.customer_id') }}
                then published_events.customer_id
        end as customer_id,

        ---------- when and where
        published_events._execution_date as execution_date,
        coalesce(published_events.country, 'unknown') as country,

        ---------- what
        coalesce(published_events.event_type = 'sale', false) as is_sale,
        coalesce(published_events.event_type = 'return', false) as is_return,
        published_events.quantity,
        published_events.quantity * published_events.price as revenue
    from published_events
    left join published_before
        on
            published_events.event_id = published_before.event_id
            and published_events._execution_date
            = published_before.execution_date
    where published_before.event_id is null

)

select * from all_events
