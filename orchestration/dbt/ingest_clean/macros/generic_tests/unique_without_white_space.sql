{% test unique_without_white_space(model, columns) %}

{%- set bare = [] -%}
{%- set spaced = [] -%}
{%- for column in columns -%}
    {%- set text = "cast(" ~ quoted(column) ~ " as " ~ dbt.type_string() ~ ")" -%}
    {%- do spaced.append(has_white_space(text)) -%}
    {%- do bare.append(
        "case when " ~ has_white_space(text) ~ " then " ~ without_white_space(text) ~ " else " ~ text ~ " end"
    ) -%}
{%- endfor %}

with

-- Few keys have white space, and only keys similar to them are grouped.
validation_errors as (

    select
        count(*) as _keys,
        min({{ key_text(columns) }}) as _first,
        max({{ key_text(columns) }}) as _last
    from {{ model }}
    where
        {{ list_of(bare) }} in (
            select {{ list_of(bare) }}
            from {{ model }}
            where {{ spaced | join(' or ') }}
        )
    group by {{ bare | join(', ') }}
    having count(*) > 1

)

select * from validation_errors

{% endtest %}
