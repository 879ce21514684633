{%- set days = 28 -%}

with

daily_products as (

    select * from {{ ref('daily_products') }}

),

daily_sales as (

    select * from {{ ref('daily_sales') }}

),

products as (

    select
        stock_code,
        max_by(
            description,
            case when description is not null then execution_date end
        ) as description
    from daily_products
    group by stock_code

),

sales_window as (

    select
        cast(
            {{ dbt.dateadd('day', 1 - days, 'max(execution_date)') }} as date
        ) as window_starts_on,
        max(execution_date) as window_ends_on
    from daily_sales

),

dates_in_window as (

    select count(distinct daily_sales.execution_date) as published_dates
    from daily_sales
    inner join sales_window
        on daily_sales.execution_date >= sales_window.window_starts_on

),

sold as (

    select
        daily_products.stock_code,
        {{ summed_figures(order='daily_products.execution_date') }},
        max(
            case
                when daily_products.sales > 0 then daily_products.execution_date
            end
        ) as last_sold_on
    from daily_products
    inner join sales_window
        on daily_products.execution_date >= sales_window.window_starts_on
    group by daily_products.stock_code

),

joined as (

    select
        products.stock_code,
        products.description,
        sales_window.window_starts_on,
        sales_window.window_ends_on,
        dates_in_window.published_dates,
        sold.last_sold_on,
        coalesce(sold.sales, 0) as sales,
        coalesce(sold.returns, 0) as returns,
        coalesce(sold.other_events, 0) as other_events,
        coalesce(sold.units, 0) as units,
        coalesce(sold.revenue, 0) as revenue
    from products
    cross join sales_window
    cross join dates_in_window
    left join sold
        on products.stock_code = sold.stock_code

)

select * from joined
order by stock_code nulls last
