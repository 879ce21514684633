{% macro read_parquet_file(uri) %}
    {{- return(adapter.dispatch('read_parquet_file')(uri)) -}}
{% endmacro %}


{#- `date=…` in the key is a path component, not a column. -#}
{% macro duckdb__read_parquet_file(uri) -%}
    read_parquet({{ literal(uri) }}, hive_partitioning = false)
{%- endmacro %}


{% macro spark__read_parquet_file(uri) -%}
    parquet.`{{ uri }}`
{%- endmacro %}
