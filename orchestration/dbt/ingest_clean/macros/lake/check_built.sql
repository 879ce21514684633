{#- Checks the rows of a mart by date before its files are written: required values, dates that are built, and an order
    that leaves no two rows to chance. -#}
{% macro check_built(built, model) %}
    {%- set columns = not_null_columns(model) -%}
    {%- set found = run_query(built_facts(built, columns)).rows[0] -%}
    {%- for column in columns if found[column ~ '__nulls'] -%}
        {%- do refuse_built(found[column ~ '__nulls'] ~ " nulls in the not_null column " ~ column) -%}
    {%- endfor -%}
    {%- if found['other_rows'] -%}
        {%- do refuse_built(
            found['other_rows'] ~ " rows have an execution_date that is not built, such as " ~ found['other_date']
            ~ ": take it from _execution_date of built_rows, and of another mart only rows where is_built('execution_date')"
        ) -%}
    {%- endif -%}
    {%- set order = quoted_list(model.config.meta.order_by) -%}
    {%- set twice = run_query(
        "select " ~ order ~ " from " ~ built ~ " group by " ~ order ~ " having count(*) > 1 limit 1"
    ).rows -%}
    {%- if twice -%}
        {%- do refuse_built(
            "several rows with the same " ~ model.config.meta.order_by | join(', ') ~ ", such as "
            ~ twice[0].values() | join(', ') ~ ": add columns to meta.order_by, so that the order of the file is certain"
        ) -%}
    {%- endif -%}
{% endmacro %}


{% macro built_facts(built, columns) -%}
    select
        {%- for column in columns %}
        count(*) - count({{ quoted(column) }}) as {{ quoted(column ~ '__nulls') }},
        {%- endfor %}
        count(case when not coalesce({{ is_built('execution_date') }}, false) then 1 end) as other_rows,
        cast(
            min(case when not coalesce({{ is_built('execution_date') }}, false) then execution_date end)
            as {{ dbt.type_string() }}
        ) as other_date
    from {{ built }}
{%- endmacro %}


{% macro refuse_built(problem) %}
    {{- exceptions.raise_compiler_error("This model has an enforced contract that failed: " ~ problem) -}}
{% endmacro %}
