{% macro unnested(list) %}
    {{- return(adapter.dispatch('unnested', 'ingest_clean')(list)) -}}
{% endmacro %}


{% macro duckdb__unnested(list) -%}
    unnest({{ list }})
{%- endmacro %}
