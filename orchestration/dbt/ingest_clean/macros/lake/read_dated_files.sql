{% macro read_dated_files(model, files) %}
    {{- return(adapter.dispatch('read_dated_files')(model, files)) -}}
{% endmacro %}


{% macro duckdb__read_dated_files(model, files) -%}
    {%- set uris = [] -%}
    {%- for name in files.names -%}
        {%- do uris.append(dated_uri(model, name, files)) -%}
    {%- endfor -%}
    read_parquet({{ literals(uris) }}, hive_partitioning = false)
{%- endmacro %}
