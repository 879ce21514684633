{#- The figures of several days, from those of each. -#}
{% macro summed_figures(order) -%}
    {%- for name in ['sales', 'returns', 'other_events', 'units'] %}
    cast(sum({{ name }}) as bigint) as {{ name }},
    {%- endfor %}
    {{ rounded(ordered_sum('revenue', order), 6) }} as revenue
{%- endmacro %}
