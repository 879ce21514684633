{% test unique_combination_of_columns(model, combination_of_columns) %}

{%- if combination_of_columns is string or combination_of_columns is not sequence or combination_of_columns | unique | list | length < 2 -%}
    {{- exceptions.raise_compiler_error(
        "unique_combination_of_columns: combination_of_columns is " ~ combination_of_columns ~ ", not a list of two or more; for one column there is unique"
    ) -}}
{%- endif %}

with

validation_errors as (

    select
        {{ quoted_list(combination_of_columns, separator=',\n        ') }},
        count(*) as _occurrences
    from {{ model }}
    group by {{ quoted_list(combination_of_columns) }}
    having count(*) > 1

)

select * from validation_errors

{% endtest %}
