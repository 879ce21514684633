{#- Without a declaration, this is either parsing, where the graph is empty, or a unit test, whose rows are records
    already. -#}
{% macro raw_records(relation, declaration=none, records=none, shape='list') %}
    {%- set declaration = declaration or source_declaration(relation.schema, relation.identifier) -%}
    {%- if declaration -%}
        {{- return(adapter.dispatch('raw_records')(relation, declaration, records, shape)) -}}
    {%- else -%}
    select
        _record,
        {{- '\n        _record_name,' if shape == 'values' }}
        _page
    from {{ relation }}
    {%- endif -%}
{% endmacro %}


{% macro duckdb__raw_records(relation, declaration, records, shape) %}
    {%- set pages = "getvariable('raw_" ~ declaration.source_name ~ "__" ~ declaration.name ~ "')" -%}
    {%- set form = declaration.config.meta.fetch.form -%}
    {%- if form in ('array', 'ndjson') -%}
        select
            json as _record,
            {{ page_key('_uri') }} as _page
        from read_json_objects(
            {{ pages }},
            format = '{{ 'array' if form == 'array' else 'newline_delimited' }}',
            filename = '_uri'
        )
    {%- elif form == 'envelope' and records is not none and records is not string -%}
        {{- enveloped_records(pages, records, shape, declaration.config.meta.fetch.records) -}}
    {%- elif form == 'envelope' -%}
        {#- A name that the declaration has in quotes is given without them. -#}
        {%- set name = records or declaration.config.meta.fetch.records -%}
        {%- set list = quoted(name) -%}
        {#- The list's field is the only name here that may begin with an underscore. -#}
        {%- set uri = '_page_uri' if name | lower == '_uri' else '_uri' -%}
        {#- A page without the list is not an empty page. A null in the list, which DuckDB returns as SQL null, is a
            record. -#}
        select
            coalesce(
                unnest(
                    case
                        when {{ list }} is null
                            then error({{ literal('No list ' ~ list ~ ' in file "') }} || {{ uri }} || '"')
                        else {{ list }}
                    end
                ),
                'null'
            ) as _record,
            {{ page_key(uri) }} as _page
        from read_json(
            {{ pages }},
            format = 'unstructured',
            columns = { {{- literal(name) -}} : 'JSON[]'},
            filename = '{{ uri }}'
        )
    {%- else -%}
        {{- exceptions.raise_compiler_error(
            declaration.original_file_path ~ ": " ~ declaration.source_name ~ "." ~ declaration.name
            ~ ": fetch.form is '" ~ form ~ "', not array, ndjson or envelope"
        ) -}}
    {%- endif -%}
{% endmacro %}
