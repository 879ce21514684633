{% macro in_calendar(instant) %}
    {{- return(adapter.dispatch('in_calendar', 'ingest_clean')(instant)) -}}
{% endmacro %}


{% macro duckdb__in_calendar(instant) -%}
    {{ instant }} between timestamptz '0001-01-01 00:00:00+00'
    and timestamptz '9999-12-31 23:59:59.999999+00'
{%- endmacro %}
