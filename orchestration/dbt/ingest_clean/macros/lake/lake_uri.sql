{% macro lake_uri(model) %}
    {{- return(adapter.dispatch('lake_uri')(model)) -}}
{% endmacro %}


{#- Read from the cursor's variables at run time. A config would keep the value from parsing. -#}
{% macro duckdb__lake_uri(model) %}
    {%- set key = model.config.meta.key_on_lake -%}
    {%- set where = run_query("select getvariable('lake_root'), getvariable('lake_date')").rows[0] -%}
    {{- return(where[0] ~ '/' ~ key.replace('{name}', model.alias).replace('{date}', where[1])) -}}
{% endmacro %}


{#- The numbered files that a sandbox has in the place of this one: Spark writes many rows to several. -#}
{% macro numbered_files(model, uri) %}
    {%- set published = "getvariable(" ~ literal('published_' ~ model.alias) ~ ")" -%}
    {%- set numbered = literal(uri.removesuffix('.parquet') ~ '-') -%}
    {%- set found = run_query(
        "select list_sort(list_filter(" ~ published ~ ", lambda file: starts_with(file, " ~ numbered ~ ")))"
    ).rows[0][0] -%}
    {{- return(fromjson(found) if found else []) -}}
{% endmacro %}


{% macro spark__lake_uri(model) %}
    {%- set key = model.config.meta.key_on_lake.replace('{name}', model.alias) -%}
    {{- return(lake_variable('lake_root') ~ '/' ~ key.replace('{date}', lake_variable('lake_date'))) -}}
{% endmacro %}
