{% macro start_of_day(days) %}
    {{- return(adapter.dispatch('start_of_day', 'ingest_clean')(days)) -}}
{% endmacro %}


{#- The profile sets the session's time zone to UTC, so a date's midnight is in UTC. -#}
{% macro duckdb__start_of_day(days) -%}
    cast({{ execution_date() }} + {{ days }} as timestamp with time zone)
{%- endmacro %}
