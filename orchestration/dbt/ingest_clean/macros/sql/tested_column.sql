{% macro tested_column(name) -%}
    {{ name if name.startswith('"') else quoted(name) }}
{%- endmacro %}
