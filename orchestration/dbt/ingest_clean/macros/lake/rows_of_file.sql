{#- The rows of one file of a mart by date: those that were built, and those of the other dates as they were. -#}
{% macro rows_of_file(built, model, file, files) -%}
    select * from {{ built_and_former(built, model, files, former_files(files, file)) }}
    where {{ is_in_file(file) }}
{%- endmacro %}


{#- The rows that were built, and those of former files that are not built, as something to select from. -#}
{% macro built_and_former(built, model, files, former) -%}
    (
        select * from {{ built }}
        {%- if former %}
        union all
        select * from {{ former_rows(model, files, former) }}
        {%- endif %}
    ) as of_all_files
{%- endmacro %}


{#- As a range, for which both engines skip the other rows. -#}
{% macro is_in_file(file) -%}
    {%- if file | length == 'YYYY-MM' | length -%}
        execution_date between date '{{ file }}-01' and last_day(date '{{ file }}-01')
    {%- else -%}
        execution_date = date '{{ file }}'
    {%- endif -%}
{%- endmacro %}


{#- Rows of former files, without those of the dates that are built. -#}
{% macro former_rows(model, files, names) -%}
    {%- set uris = [] -%}
    {%- for name in names -%}
        {%- do uris.append(former_uri(model, files).replace('{file}', name)) -%}
    {%- endfor -%}
    (
        select *
        from {{ read_files(model.alias ~ '__former', uris) }}
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


{% macro spark__is_built(column) -%}
    {%- set dates = lake_variable('dates_built') or [] -%}
    {%- if dates -%}
        cast({{ column }} as string) in ({% for date in dates %}'{{ date }}'{{ ', ' if not loop.last }}{% endfor %})
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}
