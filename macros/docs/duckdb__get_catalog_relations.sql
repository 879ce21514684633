{#- In place of dbt-duckdb's macro of this name, which it calls; dbt asks this one for up to 100 relations. -#}
{% macro duckdb__get_catalog_relations(information_schema, relations) %}
    {{- return(
        complete_catalog(dbt.duckdb__get_catalog_relations(information_schema, relations), information_schema.database)
    ) -}}
{% endmacro %}
