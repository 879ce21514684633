-- A row is a raw name that snake_case turns into something else than
-- expected here: the macro changed its mind.
{%- set names = {
    'Event ID': 'event_id',
    'eventId': 'event_id',
    'HTTPStatus': 'http_status',
    ' Customer  ID ': 'customer_id',
    'already_so': 'already_so',
    'Price (£)': 'price',
    'A/B test#2': 'a_b_test_2',
    '%': '',
    'Größe 2': 'gr_e_2',
    'line2Item': 'line2_item',
    '__Page--No.': 'page_no',
} %}

{%- for name, expected in names.items() if snake_case(name) != expected %}
select
    '{{ name }}' as raw_name,
    '{{ snake_case(name) }}' as found,
    '{{ expected }}' as expected
union all
{%- endfor %}
select
    null as raw_name,
    null as found,
    null as expected
where false
