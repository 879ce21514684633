{% macro start_of_day(days) %}
    {{- return(adapter.dispatch('start_of_day', 'ingest_clean')(days)) -}}
{% endmacro %}


{#- A session's time zone is UTC here, by the profile, so a date's midnight is UTC's. -#}
{% macro duckdb__start_of_day(days) -%}
    cast({{ execution_date() }} + {{ days }} as timestamp with time zone)
{%- endmacro %}
