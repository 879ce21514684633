{% macro write_parquet(query, uri) %}
    {{- return(adapter.dispatch('write_parquet')(query, uri)) -}}
{% endmacro %}


{% macro duckdb__write_parquet(query, uri) -%}
    copy (
        {{ query }}
    ) to {{ literal(uri) }} (format parquet, compression snappy)
{%- endmacro %}


{#- To one file in a folder, which `write_in_order` and marts by date name. -#}
{% macro spark__write_parquet(query, uri) -%}
    insert overwrite directory '{{ uri }}' using parquet
    {{ query }}
{%- endmacro %}
