{#- A time of a zone that is not known yet. `grammar` is the regular expression of the declared `format`. -#}
{% macro to_local(column, format=none, grammar=none) %}
    {{- return(adapter.dispatch('to_local')(column, format, grammar)) -}}
{% endmacro %}


{% macro duckdb__to_local(column, format, grammar) -%}
    case
    {%- if format %}
        when {{ full_match(column, grammar) }}
            then try_strptime({{ column }}, {{ literal(format) }})
    {%- else %}
        when {{ full_match(column, local_grammar(seconds=true)) }}
            then try_cast({{ column }} as timestamp)
        when {{ full_match(column, local_grammar()) }}
            then try_cast({{ column }} || ':00' as timestamp)
    {%- endif %}
    end
{%- endmacro %}
