-- A row is a list of fields whose columns are others than expected here, or
-- stand in another order.
{%- set cases = [
    (['Event ID', 'eventType', 'Price (£)'], "event_id=Event ID, event_type=eventType, price=Price (£)"),
    (['b', 'a'], 'b=b, a=a'),
    ([], ''),
] %}

{%- for fields, expected in cases %}
    {%- set pairs = [] %}
    {%- for name, field in column_names(fields).items() %}
        {%- do pairs.append(name ~ '=' ~ field) %}
    {%- endfor %}
    {%- set found = pairs | join(', ') %}
    {%- if found != expected %}
select
    '{{ found }}' as found,
    '{{ expected }}' as expected
union all
    {%- endif %}
{%- endfor %}
select
    null as found,
    null as expected
where false
