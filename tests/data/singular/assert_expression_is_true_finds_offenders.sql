-- A row is one that expression_is_true reported wrongly or missed.
with

literal_rows (name, total, part) as (

    values
    ('true', 3, 1),
    ('false', 3, 4),
    ('null', 3, null),
    ('true by the second part', -1, null)

),

found as (

    select
        'of the model' as test,
        name
    from (
        {{ test_expression_is_true(
            'literal_rows', 'part <= total or total < 0'
        ) }}
    ) as model_errors
    union all
    select
        'of a column' as test,
        name
    from (
        {{ test_expression_is_true(
            'literal_rows', '<= total', column_name='part'
        ) }}
    ) as column_errors

),

expected (test, name) as (

    values
    ('of the model', 'false'),
    ('of the model', 'null'),
    ('of a column', 'false'),
    ('of a column', 'null'),
    ('of a column', 'true by the second part')

),

validation_errors as (

    {{ differences('found', 'expected', ['test', 'name']) }}

)

select * from validation_errors
