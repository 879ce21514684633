{% macro start_of_day(days, table=none) %}
    {{- return(adapter.dispatch('start_of_day')(days, table)) -}}
{% endmacro %}


{#- The profile sets the session's time zone to UTC, so a date's midnight is in UTC. -#}
{% macro duckdb__start_of_day(days, table) -%}
    cast({{ execution_date(table) }} + {{ days }} as timestamp with time zone)
{%- endmacro %}


{% macro spark__start_of_day(days, table) -%}
    cast(date_add({{ execution_date(table) }}, {{ days }}) as timestamp)
{%- endmacro %}
