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


{% macro spark__read_dated_files(model, files) -%}
    {%- set columns = quoted_list(model.columns) -%}
    {%- set kept = files.names | reject('in', files.written) | list -%}
    (
        {%- if files.written %}
        select {{ columns }} from {{ read_parquet_files(lake_uri(model), files.written) }}
        {%- endif %}
        {{- ' union all' if files.written and kept }}
        {%- if kept %}
        select {{ columns }} from {{ read_parquet_files(former_uri(model, files), kept) }}
        {%- endif %}
    )
{%- endmacro %}


{#- Files of one folder, as a pattern that Spark expands. -#}
{% macro read_parquet_files(uri, names) -%}
    parquet.`{{ uri.replace('{file}', '{' ~ names | join(',') ~ '}') }}`
{%- endmacro %}
