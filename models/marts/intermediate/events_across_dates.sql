with

published as (

    select count(*) as published_rows
    from {{ published(ref('events')) }}

),

resolved as (

    select
        cast(coalesce(sum(copies - 1), 0) as bigint) as repeated_rows,
        count(*) as kept_rows
    from {{ ref('all_events') }}

),

counted as (

    select
        published.published_rows,
        resolved.kept_rows,
        resolved.repeated_rows
    from published
    cross join resolved

)

select * from counted
