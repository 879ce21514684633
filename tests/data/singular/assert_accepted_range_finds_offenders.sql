-- A row is a value that accepted_range reported wrongly or missed.
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
        {{ test_accepted_range(
            'literal_rows', 'x', min_value=0, max_value=10
        ) }}
    ) as both_errors
    union all
    select
        'minimum' as bounds,
        name
    from (
        {{ test_accepted_range('literal_rows', 'x', min_value=0) }}
    ) as minimum_errors
    union all
    select
        'maximum' as bounds,
        name
    from (
        {{ test_accepted_range('literal_rows', 'x', max_value=10) }}
    ) as maximum_errors
    union all
    select
        'neither of them' as bounds,
        name
    from (
        {{ test_accepted_range(
            'literal_rows', 'x', min_value=0, max_value=10, inclusive=false
        ) }}
    ) as exclusive_errors

),

expected (bounds, name) as (

    values
    ('both bounds', 'below'),
    ('both bounds', 'above'),
    ('minimum', 'below'),
    ('maximum', 'above'),
    ('neither of them', 'below'),
    ('neither of them', 'lowest'),
    ('neither of them', 'highest'),
    ('neither of them', 'above')

),

validation_errors as (

    {{ differences('found', 'expected', ['bounds', 'name']) }}

)

select * from validation_errors
