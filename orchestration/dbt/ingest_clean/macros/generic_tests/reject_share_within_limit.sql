{% test reject_share_within_limit(model, source) %}

{%- set limit = (source_meta(source) or {}).get('reject_limit', 0.01) %}

with

totals as (

    select
        coalesce(sum(case when part = 'raw' then row_count end), 0) as raw_rows,
        coalesce(sum(case when part = 'rejected' then row_count end), 0)
            as rejected_rows
    from {{ model }}

),

validation_errors as (

    select
        raw_rows,
        rejected_rows,
        {{ limit }} as limit_share
    from totals
    where rejected_rows > raw_rows * {{ limit }}

)

select * from validation_errors

{% endtest %}
