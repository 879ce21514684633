with

published_ids as (

    select
        _execution_date as execution_date,
        event_id
    from {{ built_rows(ref('events')) }}

),

kept_ids as (

    select
        kept.execution_date,
        kept.event_id
    from {{ kept_rows(this) }} as kept
    inner join published_ids
        on kept.event_id = published_ids.event_id

),

first_dates as (

    select
        event_id,
        min(execution_date) as first_date
    from (
        select * from published_ids
        union all
        select * from kept_ids
    ) as dates_of_ids
    group by event_id

),

event_dates as (

    select
        published_ids.execution_date,
        published_ids.event_id,
        published_ids.execution_date = first_dates.first_date as is_first
    from published_ids
    inner join first_dates
        on published_ids.event_id = first_dates.event_id

)

select * from event_dates
