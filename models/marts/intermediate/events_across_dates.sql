with

event_dates as (

    select * from {{ ref('event_dates') }}

),

counted as (

    select
        count(*) as published_rows,
        count(case when is_first then 1 end) as kept_rows,
        count(case when not is_first then 1 end) as repeated_rows
    from event_dates

)

select * from counted
