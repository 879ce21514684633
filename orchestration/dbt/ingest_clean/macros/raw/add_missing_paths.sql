{#- A null value is not missing. Only the records where a value is null are read again. -#}
{% macro add_missing_paths(places, is_record='_is_object') %}
    {{- return(adapter.dispatch('add_missing_paths')(places, is_record)) -}}
{% endmacro %}


{#- The noqa is for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__add_missing_paths(places, is_record) -%}
    {%- set nulls = [] -%}
    {%- set found = [] -%}
    {%- for path, (column, place) in places.items() -%}
        {%- set is_null = quoted(column) ~ " is null" -%}
        {%- do nulls.append(is_null) -%}
        {%- do found.append(
            "case when " ~ is_null ~ " and " ~ json_at('json_type', place) ~ " is null then " ~ literal(path) ~ " end"
        ) -%}
    {%- endfor -%}
    case -- noqa: PRS
                when {{ is_record }} and ({{ nulls | join(' or ') }})
                    then list_concat(_missing_fields, list_filter(
                        [
                            {{ found | join(',\n                            ') }}
                        ],
                        lambda path: path is not null
                    ))
                else _missing_fields
            end
{%- endmacro %}
