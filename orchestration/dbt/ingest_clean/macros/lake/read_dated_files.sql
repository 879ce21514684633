{#- All rows of a mart by date. -#}
{% macro read_dated_files(model, files) -%}
    {%- set uris = [] -%}
    {%- for name in files.names -%}
        {%- do uris.append(dated_uri(model, name, files)) -%}
    {%- endfor -%}
    {{ read_files(model.alias ~ '__files', uris) }}
{%- endmacro %}


{#- The rows of Parquet files, all of which must be there. -#}
{% macro read_files(name, uris) %}
    {{- return(adapter.dispatch('read_files')(name, uris)) -}}
{% endmacro %}


{% macro duckdb__read_files(name, uris) -%}
    read_parquet({{ literals(uris) }}, hive_partitioning = false)
{%- endmacro %}


{#- A statement of `elt`: see `orchestration.spark.cursor`. A pattern in Spark's SQL would leave out a missing file. -#}
{% macro spark__read_files(name, uris) %}
    {% call statement('read') -%}
        /* elt read: {{ name }} */ {{ tojson(uris) }}
    {%- endcall %}
    {{- return(target.schema ~ '.' ~ name) -}}
{% endmacro %}
