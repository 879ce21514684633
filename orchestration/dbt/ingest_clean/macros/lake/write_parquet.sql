{% macro write_parquet(query, uri) %}
    {{- return(adapter.dispatch('write_parquet')(query, uri)) -}}
{% endmacro %}


{% macro duckdb__write_parquet(query, uri) -%}
    copy (
        {{ query }}
    ) to {{ literal(uri) }} (format parquet, compression snappy)
{%- endmacro %}
