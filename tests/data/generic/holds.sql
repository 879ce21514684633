{% test holds(model, expression) %}

{%- if expression is not string or not expression.strip() -%}
    {{- exceptions.raise_compiler_error(
        "holds: expression is '" ~ expression ~ "', not the text of a SQL condition"
    ) -}}
{%- endif %}

with

-- `not` alone would let a null pass.
validation_errors as (

    select *
    from {{ model }}
    where ({{ expression }}) is not true

)

select * from validation_errors

{% endtest %}
