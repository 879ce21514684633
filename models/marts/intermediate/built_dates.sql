with

published_events as (

    select * from {{ built_rows(ref('events')) }}

),

counted as (

    select
        _execution_date as execution_date,
        count(*) as events_published
    from published_events
    group by _execution_date

)

select * from counted
