{#- dbt's own column tests, with the column name quoted: a column may be named like a SQL keyword. -#}
{% macro duckdb__test_unique(model, column_name) %}
    {{- return(dbt.default__test_unique(model, tested_column(column_name))) -}}
{% endmacro %}


{% macro duckdb__test_not_null(model, column_name) %}
    {{- return(dbt.default__test_not_null(model, tested_column(column_name))) -}}
{% endmacro %}


{% macro duckdb__test_accepted_values(model, column_name, values, quote=true) %}
    {{- return(dbt.default__test_accepted_values(model, tested_column(column_name), values, quote)) -}}
{% endmacro %}


{% macro duckdb__test_relationships(model, column_name, to, field) %}
    {{- return(dbt.default__test_relationships(model, tested_column(column_name), to, tested_column(field))) -}}
{% endmacro %}


{% macro spark__test_unique(model, column_name) %}
    {{- return(duckdb__test_unique(model, column_name)) -}}
{% endmacro %}


{% macro spark__test_not_null(model, column_name) %}
    {{- return(duckdb__test_not_null(model, column_name)) -}}
{% endmacro %}


{% macro spark__test_accepted_values(model, column_name, values, quote=true) %}
    {{- return(duckdb__test_accepted_values(model, column_name, values, quote)) -}}
{% endmacro %}


{% macro spark__test_relationships(model, column_name, to, field) %}
    {{- return(duckdb__test_relationships(model, column_name, to, field)) -}}
{% endmacro %}
