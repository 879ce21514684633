{#- A text of any characters, in SQL of both engines. `literal` is for SQL of DuckDB, which knows no escapes. -#}
{% macro text_literal(text) %}
    {{- return(adapter.dispatch('text_literal')(text)) -}}
{% endmacro %}


{% macro duckdb__text_literal(text) -%}
    {{ literal(text) }}
{%- endmacro %}


{% macro spark__text_literal(text) -%}
    {{ literal(text | replace('\\', '\\\\')) }}
{%- endmacro %}
