{% macro trimmed(text) %}
    {{- return(adapter.dispatch('trimmed')(text)) -}}
{% endmacro %}


{#- Tab, line feed, vertical tab, form feed, carriage return, space, no-break space. -#}
{% macro duckdb__trimmed(text) -%}
    {%- set white = [9, 10, 11, 12, 13, 32, 160] -%}
    trim({{ text }}, concat(
        {%- for code in white %}chr({{ code }}){{ ', ' if not loop.last }}{% endfor -%}
    ))
{%- endmacro %}
