-- A row is one that check_rows judged otherwise than expected here: null is
-- no fault of an optional column, and any other text has to be right.
{%- set table = {
    'source': 'shop.none',
    'key': ['id'],
    'columns': {'id': 'text', 'rating': 'number', 'size': 'integer'},
    'optional': ['rating'],
} %}
with

texts (id, rating, size) as (

    values
    ('right', '4.5', '1'),
    ('no rating', null, '1'),
    ('empty rating', '', '1'),
    ('wrong rating', 'good', '1'),
    ('no size', '4.5', null),
    ('neither', null, null)

),

literal_rows as (

    select
        *,
        true as _is_object,
        null as _page,
        null as _record,
        null as _undeclared_fields,
        null as _missing_fields,
        null as _inexact_columns
    from texts

),

found as (

    {{ check_rows('literal_rows', table) }}

),

expected (id, _reject_reason) as (

    values
    ('right', null),
    ('no rating', null),
    ('empty rating', 'rating_not_numeric'),
    ('wrong rating', 'rating_not_numeric'),
    ('no size', 'size_not_integer'),
    ('neither', 'size_not_integer')

),

validation_errors as (

    {{ differences('found', 'expected', ['id', '_reject_reason']) }}

)

select * from validation_errors
