{% macro read_parquet_file(uri) %}
    {{- return(adapter.dispatch('read_parquet_file', 'ingest_clean')(uri)) -}}
{% endmacro %}


{#- `date=…` in the key is where the file lies, not a column of it. -#}
{% macro duckdb__read_parquet_file(uri) -%}
    read_parquet({{ literal(uri) }}, hive_partitioning = false)
{%- endmacro %}
