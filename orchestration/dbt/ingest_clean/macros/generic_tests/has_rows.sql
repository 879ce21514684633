{% test has_rows(model, source) %}

{%- set may_be_empty = (source_meta(source) or {}).get('may_be_empty', false) %}

with

totals as (

    select
        coalesce(sum(case when part = 'raw' then row_count end), 0) as raw_rows,
        coalesce(sum(case when part = 'other_dates' then row_count end), 0)
            as of_other_dates
    from {{ model }}

),

validation_errors as (

    select
        raw_rows,
        of_other_dates
    from totals
    where raw_rows = of_other_dates {{ 'and false' if may_be_empty }}

)

select * from validation_errors

{% endtest %}
