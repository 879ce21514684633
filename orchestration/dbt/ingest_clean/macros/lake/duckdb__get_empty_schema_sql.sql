{#- Replaces dbt's macro, which quotes a column of a contract only if its YAML has `quote: true`. -#}
{% macro duckdb__get_empty_schema_sql(columns) %}
    {%- set quoted_columns = {} -%}
    {%- for name, column in columns.items() -%}
        {%- do quoted_columns.update({name: dict(column, quote=true)}) -%}
    {%- endfor -%}
    {{- return(dbt.default__get_empty_schema_sql(quoted_columns)) -}}
{% endmacro %}
