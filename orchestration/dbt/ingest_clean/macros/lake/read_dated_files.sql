{% macro read_dated_files(model, names) %}
    {{- return(adapter.dispatch('read_dated_files')(model, names)) -}}
{% endmacro %}


{% macro duckdb__read_dated_files(model, names) -%}
    {%- set uris = [] -%}
    {%- set uri = lake_uri(model) -%}
    {%- for name in names -%}
        {%- do uris.append(uri.replace('{file}', name)) -%}
    {%- endfor -%}
    read_parquet({{ literals(uris) }}, hive_partitioning = false)
{%- endmacro %}
