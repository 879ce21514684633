{% macro reject_case(table) -%}
    {%- set faults = {'instant': 'unparseable', 'integer': 'not_integer', 'number': 'not_numeric'} -%}
    case
        when not _is_object then 'record_not_object'
    {%- for column in table.key %}
        when {{ blank(text_of(column)) }} then '{{ column }}_missing'
    {%- endfor %}
    {%- for column, type in table.columns.items() if type != 'text' %}
        when (
            {{ quoted(column) }} is null or {{ out_of_range(quoted(column), type) }}
        )
        {%- if column in (table.optional or []) %}
        and {{ text_of(column) }} is not null
        {%- endif %}
            then '{{ column }}_{{ faults[type] }}'
    {%- endfor %}
    end
{%- endmacro %}
