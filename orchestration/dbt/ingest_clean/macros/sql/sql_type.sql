{#- Contracts have DuckDB's names of types. -#}
{% macro sql_type(data_type) %}
    {{- return(adapter.dispatch('sql_type')(data_type)) -}}
{% endmacro %}


{% macro duckdb__sql_type(data_type) %}
    {{- return(data_type) -}}
{% endmacro %}


{% macro spark__sql_type(data_type) %}
    {%- set of_spark = {'varchar': 'string', 'timestamptz': 'timestamp', 'timestamp with time zone': 'timestamp'} -%}
    {{- return(of_spark.get(data_type | lower, data_type)) -}}
{% endmacro %}
