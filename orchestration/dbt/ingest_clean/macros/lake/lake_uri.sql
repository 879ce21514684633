{% macro lake_uri(model) %}
    {{- return(adapter.dispatch('lake_uri')(model)) -}}
{% endmacro %}


{#- Read from the cursor's variables at run time. A config would keep the value from parsing. -#}
{% macro duckdb__lake_uri(model) %}
    {%- set key = model.config.meta.key_on_lake -%}
    {%- set where = run_query("select getvariable('lake_root'), getvariable('lake_date')").rows[0] -%}
    {{- return(where[0] ~ '/' ~ key.replace('{name}', model.alias).replace('{date}', where[1])) -}}
{% endmacro %}


{#- Spark writes a folder. `elt` moves its files to their keys after the build: see `orchestration.spark.files`. -#}
{% macro spark__lake_uri(model) %}
    {%- set file = model.config.meta.key_on_lake.split('/') | last -%}
    {{- return(lake_variable('lake_root') ~ '/_spark/' ~ model.alias ~ '/' ~ file.removesuffix('.parquet')) -}}
{% endmacro %}
