with

published_events as (

    select * from {{ published(ref('events')) }}

),

-- Read once more, one column of it: a CTE that is read twice is copied whole.
published_ids as (

    select
        event_id,
        _execution_date
    from {{ published(ref('events')) }}

),

repeated as (

    select
        event_id,
        min(_execution_date) as first_date,
        count(*) as copies
    from published_ids
    group by event_id
    having count(*) > 1

),

first_published as (

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
        published_events.quantity * published_events.price as revenue,
        coalesce(repeated.copies, 1) as copies
    from published_events
    left join repeated
        on published_events.event_id = repeated.event_id
    where
        repeated.event_id is null
        or published_events._execution_date = repeated.first_date

)

select * from first_published
