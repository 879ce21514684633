{% test of_the_date(model, column_name, days=1) %}

{%- if days is not integer or days < 0 -%}
    {{- exceptions.raise_compiler_error(
        "of_the_date on " ~ column_name ~ ": days is " ~ days ~ ", not a whole number from 0"
    ) -}}
{%- endif %}

with

validation_errors as (

    select *
    from {{ model }}
    where
        {{ tested_column(column_name) }} < {{ start_of_day(-days) }}
        or {{ tested_column(column_name) }} >= {{ start_of_day(days + 1) }}

)

select * from validation_errors

{% endtest %}
