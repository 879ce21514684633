{% macro missing_fields(fields, is_record='_is_object') %}
    {{- return(adapter.dispatch('missing_fields')(fields, is_record)) -}}
{% endmacro %}


{#- The noqa is for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__missing_fields(fields, is_record) -%}
    {%- if not fields -%}
        {{- return('cast(null as varchar[])') -}}
    {%- endif -%}
    case -- noqa: PRS
            when {{ is_record }} and _names <> {{ literals(fields) }}
                then list_filter(
                    {{ literals(fields) }},
                    lambda name: not list_contains(_names, name)
                )
        end
{%- endmacro %}
