{% macro in_zone(local, zone, clock_change='reject') %}
    {{- return(adapter.dispatch('in_zone')(local, zone, clock_change)) -}}
{% endmacro %}


{#- The local time is read with the offset before and with the offset after any clock change nearby: UTC plus 14 hours
    is the farthest east, UTC minus 12 the farthest west. A reading is right if the zone's clock shows that time then.
    Both are right for a time that the clock shows twice, neither for one that it skips. -#}
{% macro duckdb__in_zone(local, zone, clock_change) -%}
    {%- set zone = literal(zone) -%}
    {%- set utc = "timezone('UTC', " ~ local ~ ")" -%}
    {%- set readings = [] -%}
    {%- for nearby in (utc ~ " - interval 15 hour", utc ~ " + interval 13 hour") -%}
        {%- do readings.append(
            utc ~ " - (timezone(" ~ zone ~ ", " ~ nearby ~ ") - timezone('UTC', " ~ nearby ~ "))"
        ) -%}
    {%- endfor -%}
    {%- set before, after = readings -%}
    {%- set before_is_right = "timezone(" ~ zone ~ ", " ~ before ~ ") = " ~ local -%}
    {%- set after_is_right = "timezone(" ~ zone ~ ", " ~ after ~ ") = " ~ local -%}
    case
            when {{ before }} = {{ after }}
                then {{ before }}
            when {{ before_is_right }} and not {{ after_is_right }}
                then {{ before }}
            when {{ after_is_right }} and not {{ before_is_right }}
                then {{ after }}
    {%- if clock_change == 'earlier' %}
            else least({{ before }}, {{ after }})
    {%- elif clock_change == 'later' %}
            else greatest({{ before }}, {{ after }})
    {%- endif %}
        end
{%- endmacro %}
