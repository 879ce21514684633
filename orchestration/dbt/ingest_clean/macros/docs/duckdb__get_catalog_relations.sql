{#- Replaces dbt-duckdb's macro of this name and calls it. dbt uses it for up to 100 relations. -#}
{% macro duckdb__get_catalog_relations(information_schema, relations) %}
    {{- return(
        complete_catalog(dbt.duckdb__get_catalog_relations(information_schema, relations), information_schema.database)
    ) -}}
{% endmacro %}
