{#- A typed value is null where its text does not keep the type's grammar: each grammar is judged once. A field gives no
    column name that begins with an underscore, so the names added here cannot meet one. -#}
{% macro check_rows(fields, table) %}
    with

    typed as (

        select
            _page,
            _record,
            _is_object,
            _undeclared_fields,
            _missing_fields,
            _inexact_columns
        {%- for column, type in table.columns.items() %},
            {{ quoted(column) }} as {{ text_of(column) }},
            {{ to_type(quoted(column), type) }} as {{ quoted(column) }}
        {%- endfor %}
        from {{ fields }}

    ),

    judged as (

        select
            *,
            {{ reject_case(table) }} as _reject_reason
        from typed

    )

    select
        {{ quoted_list(table.columns, separator=',\n        ') }},
        _reject_reason,
        case when _reject_reason is not null then _page end as _page,
        case
            when _reject_reason is not null
                then cast(_record as {{ dbt.type_string() }})
        end as _record,
        _undeclared_fields,
        _missing_fields
    from judged
{% endmacro %}


{% macro text_of(column) -%}
    {{ quoted('_' ~ column ~ '_text') }}
{%- endmacro %}
