{% macro reject_case(table) -%}
    {%- set faults = {'instant': 'unparseable', 'integer': 'not_integer', 'number': 'not_numeric'} -%}
    case
        when not _is_object then 'record_not_object'
    {%- for column in table.key %}
        when {{ blank(text_of(column)) }} then '{{ column }}_missing'
    {%- endfor %}
    {%- for column, type in table.columns.items() %}
        {%- if type == 'text' %}
        when list_contains(_inexact_columns, '{{ column }}')
            then '{{ column }}_not_exact'
        {%- else %}
        when (
            {{ quoted(column) }} is null or {{ out_of_range(quoted(column), type) }}
        )
        {%- if column in (table.optional or []) %}
        and {{ text_of(column) }} is not null
        {%- endif %}
            then '{{ column }}_{{ faults[type] }}'
        {%- if column in table.key and type in ('number', 'instant') %}
        when {{ beyond_precision(text_of(column), type) }}
            then '{{ column }}_not_exact'
        {%- endif %}
        {%- endif %}
    {%- endfor %}
    end
{%- endmacro %}
