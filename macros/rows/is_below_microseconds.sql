{#- Two keys must not become equal: a timestamptz keeps microseconds. -#}
{% macro is_below_microseconds(text) -%}
    {{ full_match(text, '.*[.][0-9]{6}[0-9]*[1-9][0-9]*(Z|[+-].*)?') }}
{%- endmacro %}
