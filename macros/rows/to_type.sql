{#- What a text becomes under each type a table may declare, and the reason its row is rejected with otherwise. -#}
{% macro to_type(column, type) %}
    {%- if type == 'text' -%}
        {{- return(column) -}}
    {%- elif type == 'instant' -%}
        {{- return(to_instant(column)) -}}
    {%- elif type == 'integer' -%}
        {{- return(to_integer(column)) -}}
    {%- elif type == 'number' -%}
        {{- return(to_number(column)) -}}
    {%- endif -%}
    {{- exceptions.raise_compiler_error(
        "column " ~ column ~ ": type '" ~ type ~ "' is none of text, instant, integer, number"
    ) -}}
{% endmacro %}
