{% macro unnested(list) %}
    {{- return(adapter.dispatch('unnested')(list)) -}}
{% endmacro %}


{% macro duckdb__unnested(list) -%}
    unnest({{ list }})
{%- endmacro %}


{% macro spark__unnested(list) -%}
    explode({{ list }})
{%- endmacro %}
