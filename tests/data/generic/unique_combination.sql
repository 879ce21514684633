{% test unique_combination(model, columns) %}

{%- if columns is string or columns is not sequence or columns | unique | list | length < 2 -%}
    {{- exceptions.raise_compiler_error(
        "unique_combination: columns is " ~ columns ~ ", not a list of two or more; for one column there is unique"
    ) -}}
{%- endif %}

with

validation_errors as (

    select
        {{ quoted_list(columns, separator=',\n        ') }},
        count(*) as _occurrences
    from {{ model }}
    group by {{ quoted_list(columns) }}
    having count(*) > 1

)

select * from validation_errors

{% endtest %}
