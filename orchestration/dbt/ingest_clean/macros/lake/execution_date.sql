{% macro execution_date(table=none) %}
    {{- return(adapter.dispatch('execution_date')(table)) -}}
{% endmacro %}


{#- In the raw sample, the pages of a table may be of another date. A variable that is not set is null. -#}
{% macro duckdb__execution_date(table) -%}
    {%- if table -%}
        cast(coalesce(getvariable({{ literal('lake_date_' ~ table) }}), getvariable('lake_date')) as date)
    {%- else -%}
        cast(getvariable('lake_date') as date)
    {%- endif -%}
{%- endmacro %}


{% macro spark__execution_date(table) -%}
    cast('{{ lake_variable('lake_date') or '1970-01-01' }}' as date)
{%- endmacro %}
