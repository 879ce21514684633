-- Each published row of the dates that are built is in event_dates, and each
-- that counts is in all_events.
with

built_dates as (

    select * from {{ ref('built_dates') }}

),

dated as (

    select
        execution_date,
        count(*) as dated_rows,
        count(case when is_first then 1 end) as first_rows
    from {{ ref('event_dates') }}
    group by execution_date

),

counted as (

    select
        execution_date,
        count(*) as counted_rows
    from {{ ref('all_events') }}
    group by execution_date

),

compared as (

    select
        built_dates.execution_date,
        built_dates.events_published,
        coalesce(dated.dated_rows, 0) as dated_rows,
        coalesce(dated.first_rows, 0) as first_rows,
        coalesce(counted.counted_rows, 0) as counted_rows
    from built_dates
    left join dated
        on built_dates.execution_date = dated.execution_date
    left join counted
        on built_dates.execution_date = counted.execution_date

)

select * from compared
where
    events_published <> dated_rows
    or first_rows <> counted_rows
