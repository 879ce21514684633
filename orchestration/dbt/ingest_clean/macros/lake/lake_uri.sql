{% macro lake_uri(model) %}
    {{- return(adapter.dispatch('lake_uri')(model)) -}}
{% endmacro %}


{#- Read from the cursor's variables at run time. A config would keep the value from parsing. -#}
{% macro duckdb__lake_uri(model) %}
    {%- set key = model.config.meta.key_on_lake -%}
    {%- set where = run_query("select getvariable('lake_root'), getvariable('lake_date')").rows[0] -%}
    {{- return(where[0] ~ '/' ~ key.replace('{name}', model.alias).replace('{date}', where[1])) -}}
{% endmacro %}
