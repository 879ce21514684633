{% macro check_fields(declaration, fields) %}
    {%- set declared = declaration.columns.values() | map(attribute='name') | list -%}
    {%- set unread = declared | reject('in', fields) | list -%}
    {%- set unknown = fields | reject('in', declared) | list -%}
    {%- if unread or unknown -%}
        {{- exceptions.raise_compiler_error(
            declaration.original_file_path ~ " and the fields read from " ~ declaration.source_name ~ "."
            ~ declaration.name ~ " differ: not read " ~ unread ~ ", not declared " ~ unknown
        ) -}}
    {%- endif -%}
{% endmacro %}
