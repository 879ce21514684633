{% macro blank(text) -%}
    ({{ text }} is null or {{ matches(text, '[\\x09-\\x0D \\x{A0}]*') }})
{%- endmacro %}
