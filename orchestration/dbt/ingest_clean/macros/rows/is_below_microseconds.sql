{#- Two keys must not become equal: a timestamptz keeps microseconds. A number of milliseconds has three more `decimals`. -#}
{% macro is_below_microseconds(text, decimals=6) -%}
    {{ full_match(text, '.*[.][0-9]{' ~ decimals ~ '}[0-9]*[1-9][0-9]*(Z|[+-].*)?') }}
{%- endmacro %}
