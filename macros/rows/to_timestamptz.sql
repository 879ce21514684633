{% macro to_timestamptz(column) %}
    {{- return(adapter.dispatch('to_timestamptz', 'ingest_clean')(column)) -}}
{% endmacro %}


{#- Offsets are limited as in RFC 3339. Nine or ten digits are seconds (1973 to 2286), twelve or thirteen are
    milliseconds. Any other number of digits is more likely a compact date (20250520) or an error than an epoch. -#}
{% macro duckdb__to_timestamptz(column) -%}
    {%- set hour = '([01][0-9]|2[0-3])' -%}
    {%- set minute = '[0-5][0-9]' -%}
    {%- set second = minute ~ '([.][0-9]{1,9})?' -%}
    {%- set local = '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]' ~ [hour, minute, second] | join(':') -%}
    {%- set offset = '(Z|[+-]' ~ hour ~ ':' ~ minute ~ ')' -%}
    case
        when {{ full_match(column, local ~ offset) }}
            then try_cast({{ column }} as timestamp with time zone)
        when {{ full_match(column, local) }}
            then try_cast({{ column }} || 'Z' as timestamp with time zone)
        when {{ full_match(column, '[0-9]{9,10}') }}
            then make_timestamptz(cast({{ column }} as bigint) * 1000000)
        when {{ full_match(column, '[0-9]{12,13}') }}
            then make_timestamptz(cast({{ column }} as bigint) * 1000)
    end
{%- endmacro %}
