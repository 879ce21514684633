{#- A source is read one date at a time, so its data is as fresh as the end of that date. -#}
{% macro raw_complete_at() -%}
    select cast({{ dbt.dateadd('day', 1, execution_date()) }} as timestamp) as loaded_at
{%- endmacro %}
