-- Over all dates, each event of the dates that are built counts for one date.
with

built_events as (

    select event_id from {{ ref('all_events') }}

),

counted as (

    select
        event_dates.event_id,
        count(*) as dates
    from {{ ref('event_dates') }} as event_dates
    inner join built_events
        on event_dates.event_id = built_events.event_id
    where event_dates.is_first
    group by event_dates.event_id

)

select * from counted
where dates <> 1
