{#- A typical record has the declared fields in their order, so no list of names is built for it. For others, the fields
    are counted first, since a search for each of 100,000 names takes minutes. The noqa is for sqlfluff, which does not
    support DuckDB's lambda. -#}
{% macro undeclared_fields(fields, is_record='_is_object') %}
    {{- return(adapter.dispatch('undeclared_fields')(fields, is_record)) -}}
{% endmacro %}


{% macro duckdb__undeclared_fields(fields, is_record) -%}
    case -- noqa: PRS
            when {{ is_record }} and _names <> {{ literals(fields) }}
                then list_transform(
                    list_filter(
                        map_entries(list_histogram(_names)),
                        lambda entry: entry.value > 1
                        or not list_contains({{ literals(fields) }}, entry.key)
                    ),
                    lambda entry: entry.key
                )
        end
{%- endmacro %}
