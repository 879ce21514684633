{% macro finite_double(text) %}
    {{- return(adapter.dispatch('finite_double', 'ingest_clean')(text)) -}}
{% endmacro %}


{#- Adding zero to -0.0 gives 0.0: the two are equal, so which of them is kept would be chance. -#}
{% macro duckdb__finite_double(text) -%}
    nullif(nullif(
        cast({{ text }} as double) + cast(0 as double),
        cast('inf' as double)
    ), cast('-inf' as double))
{%- endmacro %}
