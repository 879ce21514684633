{% test within_days_of_run(model, column_name, days=1) %}

{%- do require_days('within_days_of_run', column_name, days) %}

with

validation_errors as (

    select *
    from {{ model }}
    where
        {{ outside_the_date(tested_column(column_name), days, model.identifier) }}

)

select * from validation_errors

{% endtest %}
