{% macro reject_case(table) -%}
    {%- set faults = {'instant': 'unparseable', 'integer': 'not_integer', 'number': 'not_numeric'} -%}
    case
        when not is_object then 'record_not_object'
    {%- for column in table.key %}
        when {{ blank(column ~ '_text') }} then '{{ column }}_missing'
    {%- endfor %}
    {%- for column, type in table.columns.items() if type != 'text' %}
        when (
            {{ column }} is null or {{ out_of_range(column, type) }}
        )
        {%- if column in (table.optional or []) %}
        and {{ column }}_text is not null
        {%- endif %}
            then '{{ column }}_{{ faults[type] }}'
    {%- endfor %}
    end
{%- endmacro %}
