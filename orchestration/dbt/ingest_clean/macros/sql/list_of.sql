{% macro list_of(expressions) %}
    {{- return(adapter.dispatch('list_of')(expressions)) -}}
{% endmacro %}


{% macro duckdb__list_of(expressions) -%}
    [{{ expressions | join(', ') }}]
{%- endmacro %}


{% macro spark__list_of(expressions) -%}
    array({{ expressions | join(', ') }})
{%- endmacro %}
