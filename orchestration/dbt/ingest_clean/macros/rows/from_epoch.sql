{% macro from_epoch(column, unit) %}
    {{- return(adapter.dispatch('from_epoch')(column, unit)) -}}
{% endmacro %}


{#- Microseconds are counted in integers, because a double would round them. Digits beyond them are cut. -#}
{% macro duckdb__from_epoch(column, unit) -%}
    {%- set digits, decimals = {
        'epoch': (12, '([.][0-9]{1,9})?'),
        'epoch_ms': (15, '([.][0-9]{1,9})?'),
        'epoch_us': (18, '([.]0+)?'),
        'epoch_ns': (19, '([.]0+)?'),
    }[unit] -%}
    {%- set fraction = {'epoch': 6, 'epoch_ms': 3}.get(unit, 0) -%}
    {%- set whole = "try_cast(ltrim(split_part(" ~ column ~ ", '.', 1), '-') as bigint)" -%}
    case
        when {{ full_match(column, '-?[0-9]{1,' ~ digits ~ '}' ~ decimals) }}
            then make_timestamptz(
                case when starts_with({{ column }}, '-') then -1 else 1 end * (
                {%- if unit == 'epoch_ns' %}
                    {{ whole }} // 1000
                {%- elif unit == 'epoch_us' %}
                    {{ whole }}
                {%- else %}
                    {{ whole }} * {{ 10 ** fraction }}
                    + cast(substr(rpad(split_part({{ column }}, '.', 2), {{ fraction }}, '0'), 1, {{ fraction }}) as bigint)
                {%- endif %}
                )
            )
    end
{%- endmacro %}
