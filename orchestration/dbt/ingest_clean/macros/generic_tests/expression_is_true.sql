{% test expression_is_true(model, expression, column_name=none) %}

{%- if expression is not string or not expression.strip() -%}
    {{- exceptions.raise_compiler_error(
        "expression_is_true: expression is '" ~ expression ~ "', not the text of a SQL condition"
    ) -}}
{%- endif %}

with

-- `not` alone would let a null pass.
validation_errors as (

    select *
    from {{ model }}
    where
        ({{ tested_column(column_name) if column_name }} {{ expression }})
        is not true

)

select * from validation_errors

{% endtest %}
