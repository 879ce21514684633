{#- A test of the accounting, not of the table: if a test of the table fails, the accounting is not built. -#}
{% test other_dates_within_limit(model, curated, column, source, days=1) %}

{%- do require_days('other_dates_within_limit', column, days) -%}
{%- set limit = (source_meta(source) or {}).get('other_dates_limit', 0.5) -%}
{%- if limit is boolean or limit is not number or not 0 <= limit <= 1 -%}
    {{- exceptions.raise_compiler_error(
        "other_dates_limit of " ~ source ~ " is " ~ limit ~ ", not a share from 0 to 1"
    ) -}}
{%- endif -%}
{%- set instant = quoted(column) %}

with

-- The years 1 and 9999 mean no date, so they do not count as other dates.
judged as (

    select
        {{ instant }} as happened_at,
        (
            {{ outside_the_date(instant, days, source.split('.')[1]) }}
        )
        and {{ instant }} >= cast('0002-01-01 00:00:00+00:00' as {{ sql_type('timestamptz') }})
        and {{ instant }} < cast('9999-01-01 00:00:00+00:00' as {{ sql_type('timestamptz') }})
            as is_other
    from {{ curated }}
    where {{ instant }} is not null

),

totals as (

    select
        count(*) as instants,
        count(case when is_other then 1 end) as of_other_dates,
        min(case when is_other then happened_at end) as earliest,
        max(case when is_other then happened_at end) as latest
    from judged

),

validation_errors as (

    select
        instants,
        of_other_dates,
        {{ rounded('of_other_dates / cast(instants as double)', 3) }} as share,
        {{ limit }} as other_dates_limit,
        earliest,
        latest,
        {{ text_literal(
            "see whether the API of " ~ source ~ " takes the date as fetch asks for it; where rows of "
            ~ "other dates are right, set other_dates_limit in config.meta of the source's YAML"
        ) }} as _remedy
    from totals
    where of_other_dates > instants * {{ limit }}

)

select * from validation_errors

{% endtest %}
