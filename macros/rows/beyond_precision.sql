{#- Two keys must not become one: a double keeps 15 digits of any number, an instant microseconds. -#}
{% macro beyond_precision(text, type) -%}
    {%- if type == 'number' -%}
        length(regexp_replace(regexp_replace({{ text }}, 'e.*', ''), '[^0-9]', '', 'g')) > 15
    {%- else -%}
        {{ matches(text, '.*[.][0-9]{6}[0-9]*[1-9][0-9]*(Z|[+-].*)?') }}
    {%- endif -%}
{%- endmacro %}
