with

events as (

    select * from {{ ref('all_events') }}

),

listed as (

    select
        _execution_date as execution_date,
        stock_code,
        description
    from {{ built_rows(ref('products')) }}

),

sold as (

    select
        execution_date,
        stock_code,
        {{ sales_figures(order='event_id', digits=none) }}
    from events
    group by
        execution_date,
        stock_code

),

daily as (

    select
        listed.description,
        coalesce(sold.execution_date, listed.execution_date) as execution_date,
        coalesce(sold.stock_code, listed.stock_code) as stock_code,
        coalesce(sold.sales, 0) as sales,
        coalesce(sold.returns, 0) as returns,
        coalesce(sold.other_events, 0) as other_events,
        coalesce(sold.units, 0) as units,
        coalesce(sold.revenue, 0) as revenue
    from sold
    full outer join listed
        on
            sold.execution_date = listed.execution_date
            and sold.stock_code = listed.stock_code

)

select * from daily
