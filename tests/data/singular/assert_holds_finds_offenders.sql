-- A row is one for which holds took the condition for broken, or missed that
-- it was.
with

literal_rows (name, total, part) as (

    values
    ('true', 3, 1),
    ('false', 3, 4),
    ('null', 3, null),
    ('true by the second part', -1, null)

),

found as (

    {{ test_holds('literal_rows', 'part <= total or total < 0') }}

),

expected (name) as (

    values
    ('false'),
    ('null')

),

validation_errors as (

    {{ differences('found', 'expected', ['name']) }}

)

select * from validation_errors
