with

events as (

    select * from {{ ref('all_events') }}

),

as_of as (

    select max(execution_date) as as_of_date
    from events

),

customers as (

    select
        customer_id,
        max(execution_date) as last_event_date,
        min(execution_date) as first_event_date,
        count(distinct case when is_sale then invoice_no end) as frequency,
        count(distinct country) as countries,
        {{ sales_figures(order='event_id') }}
    from events
    where
        customer_id is not null
        and (is_sale or is_return)
    group by customer_id

),

features as (

    select
        customers.customer_id,
        as_of.as_of_date,
        cast(
            {{ dbt.datediff(
                'customers.last_event_date', 'as_of.as_of_date', 'day'
            ) }}
            as bigint
        ) as recency_days,
        cast(
            {{ dbt.datediff(
                'customers.first_event_date', 'as_of.as_of_date', 'day'
            ) }}
            as bigint
        ) as tenure_days,
        customers.frequency,
        customers.revenue as monetary_value,
        customers.units,
        customers.sales,
        customers.returns,
        customers.returns
        / cast(customers.sales + customers.returns as double) as returns_share,
        customers.countries
    from customers
    cross join as_of

)

select * from features
order by customer_id nulls last
