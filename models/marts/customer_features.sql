with

invoices as (

    select * from {{ ref('daily_invoices') }}

),

as_of as (

    select max(execution_date) as as_of_date
    from {{ ref('daily_sales') }}

),

customers as (

    select
        customer_id,
        max(execution_date) as last_event_date,
        min(execution_date) as first_event_date,
        count(distinct case when sales > 0 then invoice_no end) as frequency,
        count(distinct country) as countries,
        {{ summed_figures(order='execution_date, invoice_no, country') }}
    from invoices
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
