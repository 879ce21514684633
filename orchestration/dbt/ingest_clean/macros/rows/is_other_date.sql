{#- Whether an instant is not of the date that is built, by the clocks of a zone. -#}
{% macro is_other_date(instant, zone='UTC') %}
    {{- return(adapter.dispatch('is_other_date')(instant, zone)) -}}
{% endmacro %}


{% macro duckdb__is_other_date(instant, zone) -%}
    cast(timezone({{ literal(zone) }}, {{ instant }}) as date) <> {{ execution_date(this.identifier.removesuffix('_checked')) }}
{%- endmacro %}
