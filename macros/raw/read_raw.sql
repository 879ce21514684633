{% macro read_raw(relation, fields) %}
    {%- do column_names(fields) -%}
    {%- set declaration = source_declaration(relation.schema, relation.identifier) -%}
    {%- if declaration -%}
        {%- do check_fields(declaration, fields) -%}
        {%- set records = raw_records(relation, declaration) -%}
    {%- else -%}
        {#- Parsing, where the graph is empty, and unit tests, whose rows are records already. -#}
        {%- set records = 'select record, page from ' ~ relation -%}
    {%- endif -%}
    {{- return(adapter.dispatch('read_raw', 'ingest_clean')(records, fields)) -}}
{% endmacro %}


{#- The noqa are for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__read_raw(records, fields) %}
    {%- set spec = {} -%}
    {%- set literals = [] -%}
    {%- for field in fields -%}
        {%- do spec.update({field: 'VARCHAR'}) -%}
        {%- do literals.append("'" ~ field | replace("'", "''") ~ "'") -%}
    {%- endfor -%}
    {%- set declared = '[' ~ literals | join(', ') ~ ']' -%}
    with

    records as (

        {{ records }}

    ),

    parsed as (

        select
            record,
            page,
            starts_with(record, '{') as is_object,
            json_keys(record) as names,
            from_json(record, '{{ tojson(spec) | replace("'", "''") }}') as fields
        from records

    )

    select
        record,
        page,
        is_object,
        fields,
        -- the usual record has the declared fields in their order: no list made
        case -- noqa: PRS
            when is_object and names <> {{ declared }}
                -- counted first: a search for each name takes minutes for 100,000
                then list_transform(
                    list_filter(
                        map_entries(list_histogram(names)),
                        lambda entry: entry.value > 1
                        or not list_contains({{ declared }}, entry.key)
                    ),
                    lambda entry: entry.key
                )
        end as undeclared_fields,
        case -- noqa: PRS
            when is_object and names <> {{ declared }}
                then list_filter(
                    {{ declared }},
                    lambda name: not list_contains(names, name)
                )
        end as missing_fields
    from parsed
{% endmacro %}
