-- A row is a sum that accounting_closes took for open, or missed.
with

closed (part, row_count) as (

    values
    ('raw', 10),
    ('curated', 4),
    ('identical', 3),
    ('conflicting', 2),
    ('rejected', 1),
    ('undeclared', 5),
    ('missing', 5)

),

lost as (

    select * from closed
    where part <> 'conflicting'

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
        'lost' as name,
        *
    from (
        {{ test_accounting_closes('lost') }}
    ) as lost_errors
    union all
    select
        'nothing read' as name,
        *
    from (
        {{ test_accounting_closes('nothing_read') }}
    ) as unread_errors

),

expected (name, raw_rows, accounted_rows) as (

    values
    ('lost', 10, 8),
    ('nothing read', 0, 4)

),

validation_errors as (

    {{ differences(
        'found', 'expected', ['name', 'raw_rows', 'accounted_rows']
    ) }}

)

select * from validation_errors
