{#- A regular expression. `trimmed` lists the same characters. -#}
{% macro white_space() -%}
    [\x09-\x0D \x{A0}]
{%- endmacro %}


{% macro has_white_space(text) %}
    {{- return(adapter.dispatch('has_white_space')(text)) -}}
{% endmacro %}


{% macro duckdb__has_white_space(text) -%}
    regexp_matches({{ text }}, '{{ white_space() }}')
{%- endmacro %}


{% macro spark__has_white_space(text) -%}
    regexp_like({{ text }}, '{{ white_space() | replace('\\', '\\\\') }}')
{%- endmacro %}


{% macro without_white_space(text) %}
    {{- return(adapter.dispatch('without_white_space')(text)) -}}
{% endmacro %}


{% macro duckdb__without_white_space(text) -%}
    regexp_replace({{ text }}, '{{ white_space() }}', '', 'g')
{%- endmacro %}


{% macro spark__without_white_space(text) -%}
    regexp_replace({{ text }}, '{{ white_space() | replace('\\', '\\\\') }}', '')
{%- endmacro %}
