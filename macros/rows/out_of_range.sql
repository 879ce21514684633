{#- What a grammar lets through and no reader could hold: instants outside the years 1 to 9999, numbers too large for a
    double. -#}
{% macro out_of_range(column, type) -%}
    {%- if type == 'instant' -%}
        {{ adapter.dispatch('instant_out_of_range', 'ingest_clean')(column) }}
    {%- elif type == 'number' -%}
        abs({{ column }}) = cast('infinity' as double)
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}


{% macro duckdb__instant_out_of_range(column) -%}
    {{ column }} < timestamptz '0001-01-01 00:00:00+00'
    or {{ column }} >= timestamptz '10000-01-01 00:00:00+00'
{%- endmacro %}
