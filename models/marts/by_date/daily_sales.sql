with

events as (

    select * from {{ ref('all_events') }}

),

daily as (

    select
        execution_date,
        country,
        {{ sales_figures(order='event_id') }}
    from events
    group by
        execution_date,
        country

)

select * from daily
