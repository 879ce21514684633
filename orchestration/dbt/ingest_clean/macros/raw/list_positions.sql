{% macro list_positions(record) %}
    {{- return(adapter.dispatch('list_positions')(record)) -}}
{% endmacro %}


{#- The noqa is for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__list_positions(record) -%}
    list_transform( -- noqa: PRS
            range(cast(json_array_length({{ record }}) as bigint)),
            lambda position: '[' || position || ']'
        )
{%- endmacro %}
