{#- A regular expression. `trimmed` lists the same characters. -#}
{% macro white_space() -%}
    [\x09-\x0D \x{A0}]
{%- endmacro %}


{% macro has_white_space(text) -%}
    regexp_matches({{ text }}, '{{ white_space() }}')
{%- endmacro %}


{% macro without_white_space(text) -%}
    regexp_replace({{ text }}, '{{ white_space() }}', '', 'g')
{%- endmacro %}
