{% macro raw_records(relation, declaration) %}
    {{- return(adapter.dispatch('raw_records', 'ingest_clean')(relation, declaration)) -}}
{% endmacro %}


{% macro duckdb__raw_records(relation, declaration) %}
    {%- set pages = "getvariable('raw_" ~ declaration.source_name ~ "__" ~ declaration.name ~ "')" -%}
    {%- set form = declaration.config.meta.fetch.form -%}
    {%- if form in ('array', 'ndjson') -%}
        select
            json as record,
            {{ page_key('uri') }} as page
        from read_json_objects(
            {{ pages }},
            format = '{{ 'array' if form == 'array' else 'newline_delimited' }}',
            filename = 'uri'
        )
    {%- elif form == 'envelope' -%}
        {%- set name = declaration.config.meta.fetch.records -%}
        {%- set list = adapter.quote(name) -%}
        {#- A page without the list is not an empty page, and a null in it, which DuckDB gives as none, is a record. -#}
        select
            coalesce(
                unnest(
                    case
                        when {{ list }} is null
                            then error('No list {{ list | replace("'", "''") }} in file "' || uri || '"')
                        else {{ list }}
                    end
                ),
                'null'
            ) as record,
            {{ page_key('uri') }} as page
        from read_json(
            {{ pages }},
            format = 'unstructured',
            columns = { {{- dbt.string_literal(dbt.escape_single_quotes(name)) -}} : 'JSON[]'},
            filename = 'uri'
        )
    {%- else -%}
        {{- exceptions.raise_compiler_error(
            declaration.original_file_path ~ ": " ~ declaration.source_name ~ "." ~ declaration.name
            ~ ": fetch.form is '" ~ form ~ "', not array, ndjson or envelope"
        ) -}}
    {%- endif -%}
{% endmacro %}
