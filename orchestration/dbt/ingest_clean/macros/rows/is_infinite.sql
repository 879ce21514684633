{#- The grammar accepts numbers that are too large for a double. -#}
{% macro is_infinite(number) -%}
    abs({{ number }}) = cast('infinity' as double)
{%- endmacro %}
