-- A row is a value that in_range took for an offender, or missed.
with

literal_rows (name, x) as (

    values
    ('below', -0.5),
    ('lowest', 0),
    ('highest', 10),
    ('above', 10.5),
    ('null', null)

),

found as (

    select
        'both bounds' as bounds,
        name
    from (
        {{ test_in_range('literal_rows', 'x', minimum=0, maximum=10) }}
    ) as both_errors
    union all
    select
        'minimum' as bounds,
        name
    from (
        {{ test_in_range('literal_rows', 'x', minimum=0) }}
    ) as minimum_errors
    union all
    select
        'maximum' as bounds,
        name
    from (
        {{ test_in_range('literal_rows', 'x', maximum=10) }}
    ) as maximum_errors

),

expected (bounds, name) as (

    values
    ('both bounds', 'below'),
    ('both bounds', 'above'),
    ('minimum', 'below'),
    ('maximum', 'above')

),

validation_errors as (

    {{ differences('found', 'expected', ['bounds', 'name']) }}

)

select * from validation_errors
