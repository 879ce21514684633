{% macro full_match(text, pattern) %}
    {{- return(adapter.dispatch('full_match')(text, pattern)) -}}
{% endmacro %}


{% macro duckdb__full_match(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}


{% macro spark__full_match(text, pattern) -%}
    {%- if is_cleaning() -%}
        {{ duckdb__full_match(text, pattern) }}
    {%- else -%}
        regexp_like({{ text }}, '\\A(?:{{ pattern | replace('\\', '\\\\') }})\\z')
    {%- endif -%}
{%- endmacro %}
