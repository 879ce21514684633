{% macro is_blank(text) -%}
    ({{ text }} is null or {{ full_match(text, white_space() ~ '*') }})
{%- endmacro %}
