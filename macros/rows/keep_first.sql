{% macro keep_first(accepted, table) %}
    {%- set first = [table.earliest] if table.earliest else [] -%}
    {%- set others = table.columns | reject('in', table.key + first) | list -%}
    with

    ranked as (

        select
            *,
            row_number() over (
                partition by {{ table.key | join(', ') }}
                order by
                {%- for column in (first + others) or table.key %}
                    {{ column }} nulls last{{ ',' if not loop.last }}
                {%- endfor %}
            ) as copy_number
        from {{ accepted }}

    )

    select
        {{ table.columns | join(',\n        ') }}
    from ranked
    where copy_number = 1
{% endmacro %}
