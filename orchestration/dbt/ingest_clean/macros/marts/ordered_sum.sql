{% macro ordered_sum(expression, order) %}
    {{- return(adapter.dispatch('ordered_sum')(expression, order)) -}}
{% endmacro %}


{% macro duckdb__ordered_sum(expression, order) -%}
    coalesce(sum({{ expression }} order by {{ order }}), 0)
{%- endmacro %}
