-- A row is a timestamp that within_days_of_run reported wrongly or missed.
with

days (name, days_after, utc_time) as (

    values
    ('two dates before', -2, '23:59:59.999999'),
    ('the date before', -1, '00:00:00'),
    ('first of the date', 0, '00:00:00'),
    ('last of the date', 0, '23:59:59.999999'),
    ('the date after', 1, '23:59:59.999999'),
    ('two dates after', 2, '00:00:00'),
    ('null', null, null)

),

literal_rows as (

    select
        name,
        cast(
            cast({{ execution_date() }} + days_after as {{ dbt.type_string() }})
            || ' ' || utc_time || '+00:00' as timestamp with time zone
        ) as happened_at
    from days

),

found as (

    select
        'a day of grace' as grace,
        name
    from (
        {{ test_within_days_of_run('literal_rows', 'happened_at') }}
    ) as graceful_errors
    union all
    select
        'none' as grace,
        name
    from (
        {{ test_within_days_of_run('literal_rows', 'happened_at', days=0) }}
    ) as strict_errors

),

expected (grace, name) as (

    values
    ('a day of grace', 'two dates before'),
    ('a day of grace', 'two dates after'),
    ('none', 'two dates before'),
    ('none', 'the date before'),
    ('none', 'the date after'),
    ('none', 'two dates after')

),

validation_errors as (

    {{ differences('found', 'expected', ['grace', 'name']) }}

)

select * from validation_errors
