{#- The value of a variable of the build, which `elt` sets before dbt runs. Its value is known at run time only: a config
    would keep that from parsing. -#}
{% macro lake_variable(name) %}
    {{- return(adapter.dispatch('lake_variable')(name)) -}}
{% endmacro %}


{% macro duckdb__lake_variable(name) %}
    {{- return(run_query("select getvariable(" ~ literal(name) ~ ")").rows[0][0]) -}}
{% endmacro %}


{% macro spark__lake_variable(name) %}
    {%- if execute -%}
        {%- set query = "select value from " ~ target.schema ~ ".lake_variables where name = " ~ literal(name) -%}
        {{- return(fromjson(run_query(query).rows[0][0])) -}}
    {%- endif -%}
{% endmacro %}
