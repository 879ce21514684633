{#- The rows that a mart by date has of dates that are not built now; none where all dates are built. A unit test gives
    them as `this`. -#}
{% macro kept_rows(relation) %}
    {%- if model.resource_type == 'unit_test' -%}
        {{- return(relation) -}}
    {%- endif -%}
    {%- set files = dated_files() if execute else {} -%}
    {{- return(former_rows(model, files, files.former) if files.former else no_rows(model)) -}}
{% endmacro %}


{% macro no_rows(model) -%}
    (
        select
            {%- for column in model.columns.values() %}
            cast(null as {{ sql_type(column.data_type) }}) as {{ quoted(column.name) }}{{ ',' if not loop.last }}
            {%- endfor %}
        where false
    )
{%- endmacro %}
