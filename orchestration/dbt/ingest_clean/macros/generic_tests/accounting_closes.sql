{% test accounting_closes(model) %}

with

totals as (

    select
        coalesce(sum(case when part = 'raw' then row_count end), 0) as raw_rows,
        coalesce(
            sum(
                case
                    when
                        part in (
                            'curated',
                            'identical',
                            'conflicting',
                            'rejected',
                            'other_dates'
                        )
                        then row_count
                end
            ), 0
        ) as accounted_rows,
        coalesce(sum(case when part = 'curated' then row_count end), 0)
            as curated_rows,
        coalesce(sum(case when part = 'curated_keys' then row_count end), 0)
            as curated_keys,
        coalesce(sum(case when part = 'accepted_keys' then row_count end), 0)
            as accepted_keys
    from {{ model }}

),

validation_errors as (

    select
        raw_rows,
        accounted_rows,
        curated_rows,
        curated_keys,
        accepted_keys
    from totals
    where
        raw_rows <> accounted_rows
        or curated_rows <> curated_keys
        or curated_rows <> accepted_keys

)

select * from validation_errors

{% endtest %}
