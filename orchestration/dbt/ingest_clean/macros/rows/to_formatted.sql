{#- The format gives an offset, or the text is in UTC, which is the time zone of the session. -#}
{% macro to_formatted(column, format, grammar) -%}
    cast({{ to_local(column, format, grammar) }} as timestamp with time zone)
{%- endmacro %}
