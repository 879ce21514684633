{% macro key_order(table) -%}
    {%- for column in table.key -%}
        {{ quoted(column) }} nulls last{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
