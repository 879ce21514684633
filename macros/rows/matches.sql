{% macro matches(text, pattern) %}
    {{- return(adapter.dispatch('matches', 'ingest_clean')(text, pattern)) -}}
{% endmacro %}


{% macro duckdb__matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}
