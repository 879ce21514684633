{#- Replaces dbt-duckdb's macro of this name and calls it. dbt uses it for more than 100 relations. -#}
{% macro duckdb__get_catalog(information_schema, schemas) %}
    {{- return(complete_catalog(dbt.duckdb__get_catalog(information_schema, schemas), information_schema.database)) -}}
{% endmacro %}
