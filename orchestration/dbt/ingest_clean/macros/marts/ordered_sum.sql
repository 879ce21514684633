{% macro ordered_sum(expression, order) %}
    {{- return(adapter.dispatch('ordered_sum')(expression, order)) -}}
{% endmacro %}


{% macro duckdb__ordered_sum(expression, order) -%}
    coalesce(sum({{ expression }} order by {{ order }}), 0)
{%- endmacro %}


{#- In order too, with nulls last: the sum of doubles depends on it. -#}
{% macro spark__ordered_sum(expression, order) -%}
    {%- set key = [] -%}
    {%- for column in order.split(',') -%}
        {%- do key.append(column ~ ' is null, ' ~ column) -%}
    {%- endfor -%}
    aggregate(
        array_sort(collect_list(struct({{ key | join(', ') }}, {{ expression }} as _summed))),
        cast(0 as double),
        (total, row) -> total + coalesce(row._summed, 0)
    )
{%- endmacro %}
