-- A row is a combination that unique_combination_of_columns reported wrongly,
-- missed, or counted wrongly.
with

literal_rows (a, b, other) as (

    values
    ('twice', 1, 'x'),
    ('twice', 1, 'y'),
    ('twice', 2, 'x'),
    ('half null', null, 'x'),
    ('half null', null, 'x'),
    ('half null', null, 'x'),
    (null, 1, 'x')

),

found as (

    {{ test_unique_combination_of_columns('literal_rows', ['a', 'b']) }}

),

expected (a, b, _occurrences) as (

    values
    ('twice', 1, 2),
    ('half null', null, 3)

),

validation_errors as (

    {{ differences('found', 'expected', ['a', 'b', '_occurrences']) }}

)

select * from validation_errors
