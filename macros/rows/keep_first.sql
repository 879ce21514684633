{% macro keep_first(accepted, table) %}
    {%- set first = [table.earliest] if table.earliest else [] -%}
    {%- set others = table.columns | reject('in', table.key + first) | list -%}
    with

    ranked as (

        select
            *,
            row_number() over (
                partition by {{ quoted_list(table.key) }}
                order by
                {%- for column in (first + others) or table.key %}
                    {{ quoted(column) }} nulls last{{ ',' if not loop.last }}
                {%- endfor %}
            ) as _copy_number
        from {{ accepted }}

    )

    select
        {{ quoted_list(table.columns, separator=',\n        ') }}
    from ranked
    where _copy_number = 1
{% endmacro %}
