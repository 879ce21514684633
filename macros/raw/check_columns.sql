{% macro check_columns(names, table) %}
    {%- set unread = table.columns | reject('in', names) | list -%}
    {%- set untyped = names | reject('in', table.columns) | list -%}
    {%- if unread or untyped -%}
        {{- exceptions.raise_compiler_error(
            model.original_file_path ~ " and the table macro of " ~ table.source ~ " differ: columns without a field "
            ~ unread ~ ", fields without a type " ~ untyped
        ) -}}
    {%- endif -%}
    {%- for part, columns in {
        'key': table.key, 'earliest': [table.earliest] if table.earliest else [], 'optional': table.optional or []
    }.items() -%}
        {%- for column in columns if column not in table.columns -%}
            {{- exceptions.raise_compiler_error(
                "the table macro of " ~ table.source ~ ": " ~ part ~ " names '" ~ column ~ "', not one of its columns "
                ~ table.columns | list
            ) -}}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
