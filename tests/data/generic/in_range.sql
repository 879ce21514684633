{% test in_range(model, column_name, minimum=none, maximum=none) %}

{%- if minimum is none and maximum is none -%}
    {{- exceptions.raise_compiler_error(
        "in_range on " ~ column_name ~ ": give a minimum, a maximum or both"
    ) -}}
{%- elif minimum is number and maximum is number and minimum > maximum -%}
    {{- exceptions.raise_compiler_error(
        "in_range on " ~ column_name ~ ": the minimum " ~ minimum ~ " is above the maximum " ~ maximum
    ) -}}
{%- endif %}

with

-- What is outside, not what is not inside: a null is neither.
validation_errors as (

    select *
    from {{ model }}
    where
        {%- if minimum is not none %}
        {{ tested_column(column_name) }} < {{ minimum }}
        {%- endif %}
        {%- if maximum is not none %}
        {{ 'or ' if minimum is not none }}{{ tested_column(column_name) }} > {{ maximum }}
        {%- endif %}

)

select * from validation_errors

{% endtest %}
