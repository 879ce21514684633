{#- `local_is_utc=false` leaves texts without an offset to `to_local`. -#}
{% macro to_timestamptz(column, local_is_utc=true) %}
    {{- return(adapter.dispatch('to_timestamptz')(column, local_is_utc)) -}}
{% endmacro %}


{#- Offsets are limited as in RFC 3339. Nine or ten digits are seconds (1973 to 2286), twelve or thirteen are
    milliseconds. Any other number of digits is more likely a compact date (20250520) or an error than an epoch. -#}
{% macro duckdb__to_timestamptz(column, local_is_utc) -%}
    {%- set offset = '(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)' -%}
    {%- set minutes = local_grammar() -%}
    {%- set seconds = local_grammar(seconds=true) -%}
    {#- The cast needs seconds. -#}
    {%- set with_seconds = "substr(" ~ column ~ ", 1, 16) || ':00' || substr(" ~ column ~ ", 17)" -%}
    case
        when {{ full_match(column, seconds ~ offset) }}
            then try_cast({{ column }} as timestamp with time zone)
    {%- if local_is_utc %}
        when {{ full_match(column, seconds) }}
            then try_cast({{ column }} || 'Z' as timestamp with time zone)
    {%- endif %}
        when {{ full_match(column, '[0-9]{9,10}') }}
            then make_timestamptz(cast({{ column }} as bigint) * 1000000)
        when {{ full_match(column, '[0-9]{12,13}') }}
            then make_timestamptz(cast({{ column }} as bigint) * 1000)
        when {{ full_match(column, minutes ~ offset) }}
            then try_cast({{ with_seconds }} as timestamp with time zone)
    {%- if local_is_utc %}
        when {{ full_match(column, minutes) }}
            then try_cast({{ with_seconds }} || 'Z' as timestamp with time zone)
    {%- endif %}
        when {{ full_match(column, rfc_2822_grammar()) }}
            then {{ from_rfc_2822(column) }}
    end
{%- endmacro %}
