{%- set days = 28 -%}

with

events as (

    select * from {{ ref('all_events') }}

),

published_products as (

    select * from {{ published(ref('products')) }}

),

sales_window as (

    select
        cast(
            {{ dbt.dateadd('day', 1 - days, 'max(execution_date)') }} as date
        ) as window_starts_on,
        max(execution_date) as window_ends_on
    from events

),

dates_in_window as (

    select count(distinct events.execution_date) as published_dates
    from events
    inner join sales_window
        on events.execution_date >= sales_window.window_starts_on

),

sold as (

    select
        events.stock_code,
        {{ sales_figures(order='events.event_id') }},
        max(
            case when events.is_sale then events.execution_date end
        ) as last_sold_on
    from events
    inner join sales_window
        on events.execution_date >= sales_window.window_starts_on
    group by events.stock_code

),

ranked_products as (

    select
        stock_code,
        description,
        row_number() over (
            partition by stock_code
            order by
                case when description is null then 1 else 0 end,
                _execution_date desc nulls last
        ) as version_number
    from published_products

),

codes as (

    select stock_code from published_products
    union
    select stock_code from events

),

joined as (

    select
        codes.stock_code,
        ranked_products.description,
        sales_window.window_starts_on,
        sales_window.window_ends_on,
        dates_in_window.published_dates,
        sold.last_sold_on,
        coalesce(sold.sales, 0) as sales,
        coalesce(sold.returns, 0) as returns,
        coalesce(sold.other_events, 0) as other_events,
        coalesce(sold.units, 0) as units,
        coalesce(sold.revenue, 0) as revenue
    from codes
    cross join sales_window
    cross join dates_in_window
    left join sold
        on codes.stock_code = sold.stock_code
    left join ranked_products
        on
            codes.stock_code = ranked_products.stock_code
            and ranked_products.version_number = 1

)

select * from joined
order by stock_code nulls last
