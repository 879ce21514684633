{% macro read_raw(relation, fields, table) %}
    {%- set names = column_names(fields) -%}
    {%- set declaration = source_declaration(relation.schema, relation.identifier) -%}
    {%- if declaration -%}
        {%- do check_fields(declaration, names, table) -%}
        {%- set records = raw_records(relation, declaration) -%}
    {%- else -%}
        {#- Parsing, where the graph is empty, and unit tests, whose rows are records already. -#}
        {%- set records = 'select _record, _page from ' ~ relation -%}
    {%- endif -%}
    {{- return(adapter.dispatch('read_raw', 'ingest_clean')(records, names, table)) -}}
{% endmacro %}


{#- The noqa are for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__read_raw(records, names, table) %}
    {%- set spec = {} -%}
    {%- set literals = [] -%}
    {%- for field in names.values() -%}
        {%- do literals.append(literal(field)) -%}
    {%- endfor -%}
    {%- for field in fields_of_struct(names) -%}
        {%- do spec.update({field: 'VARCHAR'}) -%}
    {%- endfor -%}
    {%- set declared = '[' ~ literals | join(', ') ~ ']' -%}
    with

    records as (

        {{ records }}

    ),

    parsed as (

        select
            _record,
            _page,
            starts_with(_record, '{') as _is_object,
            json_keys(_record) as _names,
            from_json(_record, {{ literal(tojson(spec)) }}) as _fields
        from records

    )

    select
        _record,
        _page,
        _is_object,
        _fields,
        -- the usual record has the declared fields in their order: no list made
        case -- noqa: PRS
            when _is_object and _names <> {{ declared }}
                -- counted first: a search for each name takes minutes for 100,000
                then list_transform(
                    list_filter(
                        map_entries(list_histogram(_names)),
                        lambda entry: entry.value > 1
                        or not list_contains({{ declared }}, entry.key)
                    ),
                    lambda entry: entry.key
                )
        end as _undeclared_fields,
        case -- noqa: PRS
            when _is_object and _names <> {{ declared }}
                then list_filter(
                    {{ declared }},
                    lambda name: not list_contains(_names, name)
                )
        end as _missing_fields,
        {{ inexact_columns(names, table) }} as _inexact_columns
    from parsed
{% endmacro %}
