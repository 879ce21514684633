{% macro check_fields(declaration, names, table) %}
    {%- set label = declaration.source_name ~ "." ~ declaration.name -%}
    {%- set fields = names.values() | list -%}
    {%- set declared = declaration.columns.values() | map(attribute='name') | list -%}
    {%- set unread = declared | reject('in', fields) | list -%}
    {%- set unknown = fields | reject('in', declared) | list -%}
    {%- if unread or unknown -%}
        {{- exceptions.raise_compiler_error(
            declaration.original_file_path ~ " and the fields read from " ~ label ~ " differ: not read " ~ unread
            ~ ", not declared " ~ unknown
        ) -}}
    {%- endif -%}
    {%- do check_columns(names, table) -%}
    {%- set key = [] -%}
    {%- for name in table.key -%}
        {%- do key.append(names[name]) -%}
    {%- endfor -%}
    {%- if declaration.config.meta.key | list != key -%}
        {{- exceptions.raise_compiler_error(
            "the key of " ~ label ~ " is " ~ declaration.config.meta.key | list ~ " by its YAML, and " ~ key
            ~ " (" ~ table.key | join(', ') ~ ") by its table macro"
        ) -}}
    {%- endif -%}
{% endmacro %}
