{#- Two keys must not become equal: a double keeps 15 digits of any number. -#}
{% macro is_beyond_digits(text) -%}
    length(regexp_replace(regexp_replace({{ text }}, 'e.*', ''), '[^0-9]', '', 'g')) > 15
{%- endmacro %}
