{#- dbt requires these names for a statistic of its catalog. -#}
{% macro row_count_stat() -%}
    'Rows' as {{ adapter.quote('stats:row_count:label') }},
    count(*) as {{ adapter.quote('stats:row_count:value') }},
    'Rows of the build that these docs were written from' as {{ adapter.quote('stats:row_count:description') }},
    true as {{ adapter.quote('stats:row_count:include') }}
{%- endmacro %}
