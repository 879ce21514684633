-- A row is one that keep_first kept or dropped otherwise than expected here,
-- in a table whose key has two columns and whose rows have no timestamp.
{%- set table = {
    'key': ['country', 'number'],
    'columns': {
        'country': 'text',
        'number': 'integer',
        'size': 'integer',
        'colour': 'text',
    },
} %}
with

literal_rows (country, number, size, colour) as (

    values
    ('DE', 1, 2, 'amber'),
    ('DE', 1, 1, 'red'),
    ('DE', 1, 1, 'blue'),
    ('DE', 1, 1, null),
    ('DE', 2, null, 'amber'),
    ('DE', 2, 9, null),
    ('FR', 1, 1, 'red'),
    ('FR', 1, 1, 'red')

),

found as (

    {{ keep_first('literal_rows', table) }}

),

expected (country, number, size, colour) as (

    values
    ('DE', 1, 1, 'blue'),
    ('DE', 2, 9, null),
    ('FR', 1, 1, 'red')

),

validation_errors as (

    {{ differences('found', 'expected', table.columns) }}

)

select * from validation_errors
