{#- Defined once, so that all marts count sales, returns and revenue in the same way. -#}
{% macro sales_figures(order, digits=6) -%}
    {%- set revenue = ordered_sum('case when is_sale or is_return then revenue end', order) -%}
    count(case when is_sale then 1 end) as sales,
    count(case when is_return then 1 end) as returns,
    count(case when not (is_sale or is_return) then 1 end) as other_events,
    cast(
        coalesce(sum(case when is_sale or is_return then quantity end), 0)
        as bigint
    ) as units,
    {{ rounded(revenue, digits) if digits else revenue }} as revenue
{%- endmacro %}
