{% macro unnested(list) %}
    {{- return(adapter.dispatch('unnested')(list)) -}}
{% endmacro %}


{% macro duckdb__unnested(list) -%}
    unnest({{ list }})
{%- endmacro %}
