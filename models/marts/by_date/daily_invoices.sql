with

events as (

    select * from {{ ref('all_events') }}

),

daily as (

    select
        execution_date,
        customer_id,
        invoice_no,
        country,
        {{ sales_figures(order='event_id', digits=none) }}
    from events
    where
        customer_id is not null
        and (is_sale or is_return)
    group by
        execution_date,
        customer_id,
        invoice_no,
        country

)

select * from daily
