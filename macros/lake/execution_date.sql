{% macro execution_date() %}
    {{- return(adapter.dispatch('execution_date', 'ingest_clean')()) -}}
{% endmacro %}


{% macro duckdb__execution_date() -%}
    cast(getvariable('lake_date') as date)
{%- endmacro %}
