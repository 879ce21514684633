{% macro flattened(list) %}
    {{- return(adapter.dispatch('flattened', 'ingest_clean')(list)) -}}
{% endmacro %}


{% macro duckdb__flattened(list) -%}
    unnest({{ list }})
{%- endmacro %}
