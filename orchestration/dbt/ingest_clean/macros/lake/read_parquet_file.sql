{#- `date=…` in the key is a path component, not a column. -#}
{% macro read_parquet_file(uri) -%}
    read_parquet({{ literal(uri) }}, hive_partitioning = false)
{%- endmacro %}
