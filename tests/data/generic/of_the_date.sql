{% test of_the_date(model, column_name, days=1) %}

{%- do require_days('of_the_date', column_name, days) %}

with

validation_errors as (

    select *
    from {{ model }}
    where
        {{ outside_the_date(tested_column(column_name), days) }}

)

select * from validation_errors

{% endtest %}
