{% macro key_text(key) -%}
    {%- for column in key -%}
        cast({{ quoted(column) }} as {{ dbt.type_string() }}){{ " || ' / ' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
