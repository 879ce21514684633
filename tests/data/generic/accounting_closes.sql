{% test accounting_closes(model) %}

with

totals as (

    select
        coalesce(sum(case when part = 'raw' then row_count end), 0) as raw_rows,
        coalesce(
            sum(
                case
                    when part in ('curated', 'identical', 'conflicting', 'rejected')
                        then row_count
                end
            ), 0
        ) as accounted_rows
    from {{ model }}

),

validation_errors as (

    select
        raw_rows,
        accounted_rows
    from totals
    where raw_rows <> accounted_rows

)

select * from validation_errors

{% endtest %}
