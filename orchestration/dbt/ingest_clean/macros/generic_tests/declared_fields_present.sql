{% test declared_fields_present(model, source) %}

with

objects as (

    select
        coalesce(sum(case when part = 'raw' then row_count end), 0)
        - coalesce(
            sum(
                case
                    when
                        part = 'rejected'
                        and name in ('record_not_object', 'record_not_list')
                        then row_count
                end
            ), 0
        ) as row_count
    from {{ model }}

),

validation_errors as (

    select
        missing.name as field,
        missing.row_count as records_without_it
    from {{ model }} as missing
    inner join objects
        on missing.row_count = objects.row_count
    where
        missing.part = 'missing'
    {%- for field in optional_fields(source) %}
        and missing.name <> {{ text_literal(field) }}
    {%- endfor %}

)

select * from validation_errors

{% endtest %}
