{#- A typed value is null where its text does not keep the type's grammar: each grammar is judged once. -#}
{% macro check_rows(fields, table) %}
    {%- do check_key(table) -%}
    with

    typed as (

        select
            page,
            record,
            is_object,
            undeclared_fields,
            missing_fields
        {%- for column, type in table.columns.items() %},
            {{ column }} as {{ column }}_text,
            {{ to_type(column, type) }} as {{ column }}
        {%- endfor %}
        from {{ fields }}

    ),

    judged as (

        select
            *,
            {{ reject_case(table) }} as reject_reason
        from typed

    )

    select
        {{ table.columns | join(',\n        ') }},
        reject_reason,
        case when reject_reason is not null then page end as page,
        case
            when reject_reason is not null then cast(record as {{ dbt.type_string() }})
        end as record,
        undeclared_fields,
        missing_fields
    from judged
{% endmacro %}
