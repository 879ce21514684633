{#- The rows of one file of a mart by date: those that were built, and those of the other dates as they were. -#}
{% macro rows_of_file(built, model, file, files) -%}
    {%- set former = former_uris(model, files, file) -%}
    select * from (
        select * from {{ quoted(built.identifier) }}
        {%- if former %}
        union all
        select * from {{ former_rows(former) }}
        {%- endif %}
    ) as of_all_files
    where {{ is_in_file(file) }}
    order by {{ in_order(model) }}
{%- endmacro %}


{% macro is_in_file(file) %}
    {{- return(adapter.dispatch('is_in_file')(file)) -}}
{% endmacro %}


{#- As a range, for which DuckDB skips the other rows. -#}
{% macro duckdb__is_in_file(file) -%}
    {%- if file | length == 'YYYY-MM' | length -%}
        execution_date between date '{{ file }}-01' and last_day(date '{{ file }}-01')
    {%- else -%}
        execution_date = date '{{ file }}'
    {%- endif -%}
{%- endmacro %}


{% macro former_rows(uris) %}
    {{- return(adapter.dispatch('former_rows')(uris)) -}}
{% endmacro %}


{% macro duckdb__former_rows(uris) -%}
    (
        select *
        from read_parquet({{ literals(uris) }}, hive_partitioning = false)
        where not {{ is_built('execution_date') }}
    )
{%- endmacro %}


{% macro in_order(model) -%}
    {{ quoted_list(model.config.meta.order_by, ' nulls last, ') }} nulls last
{%- endmacro %}


{% macro is_built(column) %}
    {{- return(adapter.dispatch('is_built')(column)) -}}
{% endmacro %}


{% macro duckdb__is_built(column) -%}
    list_contains(getvariable('dates_built'), cast({{ column }} as varchar))
{%- endmacro %}
