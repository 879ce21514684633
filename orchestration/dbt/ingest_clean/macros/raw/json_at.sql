{#- Each position is applied by itself: a JSON pointer would take the name `0` and the first position for the same. -#}
{% macro json_at(function, place, document='_record') %}
    {{- return(adapter.dispatch('json_at')(function, place, document)) -}}
{% endmacro %}


{% macro duckdb__json_at(function, place, document) -%}
    {%- set steps = [] -%}
    {%- for step in ([place] if place is string else place) -%}
        {%- if step is string -%}
            {%- do steps.append(json_pointer(step)) -%}
        {%- else -%}
            {%- do steps.append("'$[" ~ ('#' if step < 0 else '') ~ step ~ "]'") -%}
        {%- endif -%}
    {%- endfor -%}
    {{- function }}({{ 'json_extract(' * (steps | length - 1) }}{{ document }}, {{ steps | join('), ') }})
{%- endmacro %}
