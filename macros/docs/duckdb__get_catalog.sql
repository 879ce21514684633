{#- In place of dbt-duckdb's macro of this name, which it calls; dbt asks this one for more than 100 relations. -#}
{% macro duckdb__get_catalog(information_schema, schemas) %}
    {{- return(complete_catalog(dbt.duckdb__get_catalog(information_schema, schemas), information_schema.database)) -}}
{% endmacro %}
