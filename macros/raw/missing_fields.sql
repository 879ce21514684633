{% macro missing_fields(fields) %}
    {{- return(adapter.dispatch('missing_fields', 'ingest_clean')(fields)) -}}
{% endmacro %}


{#- The noqa is for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__missing_fields(fields) -%}
    {%- if not fields -%}
        {{- return('cast(null as varchar[])') -}}
    {%- endif -%}
    case -- noqa: PRS
            when _is_object and _names <> {{ literals(fields) }}
                then list_filter(
                    {{ literals(fields) }},
                    lambda name: not list_contains(_names, name)
                )
        end
{%- endmacro %}
