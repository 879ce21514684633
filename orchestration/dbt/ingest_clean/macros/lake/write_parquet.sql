{#- On Spark too, DuckDB writes the files: see `write_in_order`. -#}
{% macro write_parquet(query, uri) -%}
    copy (
        {{ query }}
    ) to {{ literal(uri) }} (format parquet, compression snappy)
{%- endmacro %}
