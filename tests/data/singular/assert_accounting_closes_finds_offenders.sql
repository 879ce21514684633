-- A row is a sum that accounting_closes reported wrongly or missed.
with

closed (part, row_count) as (

    values
    ('raw', 10),
    ('curated', 4),
    ('curated_keys', 4),
    ('accepted_keys', 4),
    ('identical', 3),
    ('conflicting', 2),
    ('rejected', 1),
    ('undeclared', 5),
    ('missing', 5)

),

of_other_dates as (

    select
        case when part = 'conflicting' then 'other_dates' else part end as part,
        row_count
    from closed

),

lost as (

    select * from closed
    where part <> 'conflicting'

),

key_twice as (

    select
        part,
        case when part = 'curated_keys' then 3 else row_count end as row_count
    from closed

),

key_too_many as (

    select
        part,
        case when part = 'accepted_keys' then 5 else row_count end as row_count
    from closed

),

nothing_read as (

    select * from closed
    where part = 'curated'

),

found as (

    select
        'closed' as name,
        *
    from (
        {{ test_accounting_closes('closed') }}
    ) as closed_errors
    union all
    select
        'of other dates' as name,
        *
    from (
        {{ test_accounting_closes('of_other_dates') }}
    ) as other_dates_errors
    union all
    select
        'lost' as name,
        *
    from (
        {{ test_accounting_closes('lost') }}
    ) as lost_errors
    union all
    select
        'key twice' as name,
        *
    from (
        {{ test_accounting_closes('key_twice') }}
    ) as twice_errors
    union all
    select
        'key too many' as name,
        *
    from (
        {{ test_accounting_closes('key_too_many') }}
    ) as many_errors
    union all
    select
        'nothing read' as name,
        *
    from (
        {{ test_accounting_closes('nothing_read') }}
    ) as unread_errors

),

expected (
    name, raw_rows, accounted_rows, curated_rows, curated_keys, accepted_keys
) as (

    values
    ('lost', 10, 8, 4, 4, 4),
    ('key twice', 10, 10, 4, 3, 4),
    ('key too many', 10, 10, 4, 4, 5),
    ('nothing read', 0, 4, 4, 0, 0)

),

validation_errors as (

    {{ differences(
        'found', 'expected', [
            'name',
            'raw_rows',
            'accounted_rows',
            'curated_rows',
            'curated_keys',
            'accepted_keys',
        ]
    ) }}

)

select * from validation_errors
