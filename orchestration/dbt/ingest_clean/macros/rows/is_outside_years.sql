{#- The grammar accepts timestamps whose offset moves them outside the years 1 to 9999. -#}
{% macro is_outside_years(instant) %}
    {{- return(adapter.dispatch('is_outside_years')(instant)) -}}
{% endmacro %}


{% macro duckdb__is_outside_years(instant) -%}
    {{ instant }} < timestamptz '0001-01-01 00:00:00+00'
    or {{ instant }} >= timestamptz '10000-01-01 00:00:00+00'
{%- endmacro %}
