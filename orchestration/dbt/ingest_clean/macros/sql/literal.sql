{% macro literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}


{% macro literals(texts) -%}
    [
    {%- for text in texts -%}
        {{ literal(text) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
    ]
{%- endmacro %}
