{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}

{%- if min_value is none and max_value is none -%}
    {{- exceptions.raise_compiler_error(
        "accepted_range on " ~ column_name ~ ": give a min_value, a max_value or both"
    ) -}}
{%- elif min_value is number and max_value is number and min_value > max_value -%}
    {{- exceptions.raise_compiler_error(
        "accepted_range on " ~ column_name ~ ": the min_value " ~ min_value ~ " is above the max_value " ~ max_value
    ) -}}
{%- elif inclusive is not boolean -%}
    {{- exceptions.raise_compiler_error(
        "accepted_range on " ~ column_name ~ ": inclusive is " ~ inclusive ~ ", not true or false"
    ) -}}
{%- endif %}

with

-- Test for values outside, not for the negation of inside: a null is neither.
validation_errors as (

    select *
    from {{ model }}
    where
        {%- if min_value is not none %}
        {{ tested_column(column_name) }} {{ '<' if inclusive else '<=' }} {{ min_value }}
        {%- endif %}
        {%- if max_value is not none %}
        {{ 'or ' if min_value is not none }}{{ tested_column(column_name) }} {{ '>' if inclusive else '>=' }} {{ max_value }}
        {%- endif %}

)

select * from validation_errors

{% endtest %}
