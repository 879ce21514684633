{% macro blank(text) -%}
    ({{ text }} is null or {{ matches(text, white_space() ~ '*') }})
{%- endmacro %}
