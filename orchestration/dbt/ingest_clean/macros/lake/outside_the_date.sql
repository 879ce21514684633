{% macro outside_the_date(column, days, table=none) -%}
    {{ column }} < {{ start_of_day(-days, table) }}
        or {{ column }} >= {{ start_of_day(days + 1, table) }}
{%- endmacro %}


{% macro require_days(test, column, days) %}
    {%- if days is not integer or days < 0 -%}
        {{- exceptions.raise_compiler_error(
            test ~ " on " ~ column ~ ": days is " ~ days ~ ", not a whole number from 0"
        ) -}}
    {%- endif -%}
{% endmacro %}
