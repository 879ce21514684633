{#- Contracts have DuckDB's names of types, and names without quotes. -#}
{% macro spark__get_empty_schema_sql(columns) %}
    {%- set quoted_columns = {} -%}
    {%- for name, column in columns.items() -%}
        {%- do quoted_columns.update({name: dict(column, quote=true, data_type=sql_type(column['data_type']))}) -%}
    {%- endfor -%}
    {{- return(dbt.default__get_empty_schema_sql(quoted_columns)) -}}
{% endmacro %}
