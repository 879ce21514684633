{% test has_rows(model, source) %}

{%- set may_be_empty = (source_meta(source) or {}).get('may_be_empty', false) %}

with

totals as (

    select coalesce(sum(row_count), 0) as raw_rows
    from {{ model }}
    where part = 'raw'

),

validation_errors as (

    select raw_rows
    from totals
    where raw_rows = 0 {{ 'and false' if may_be_empty }}

)

select * from validation_errors

{% endtest %}
