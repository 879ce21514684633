{% macro literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}
