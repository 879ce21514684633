-- A row is one that check_rows judged otherwise than expected here: two numbers
-- or instants of a key must not become one value.
{%- set table = {
    'source': 'shop.none',
    'key': ['number', 'sent_at'],
    'columns': {'number': 'number', 'sent_at': 'instant', 'size': 'number'},
} %}
with

texts (number, sent_at, size) as (

    values
    ('123456789012345', '2025-05-20T10:00:00.123456Z', '9007199254740993'),
    ('-1,234.50e-3', '2025-05-20T10:00:00.123456000Z', '1'),
    ('9007199254740993', '2025-05-20T10:00:00Z', '1'),
    ('1', '2025-05-20T10:00:00.1234561Z', '1'),
    ('2', '2025-05-20T10:00:00.123456001+02:00', '1'),
    ('3', '2025-05-20T10:00:00.1234560', '1'),
    (' 0.1234567890123456 ', '2025-05-20T10:00:00Z', '1')

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

reasons as (

    select _reject_reason as reason
    from found

),

expected (reason) as (

    values
    (null),
    (null),
    (null),
    ('number_not_exact'),
    ('number_not_exact'),
    ('sent_at_not_exact'),
    ('sent_at_not_exact')

),

validation_errors as (

    {{ differences('reasons', 'expected', ['reason']) }}

)

select * from validation_errors
