{% macro column_names(fields) %}
    {%- set names = {} -%}
    {%- for field in fields -%}
        {%- set name = snake_case(field) -%}
        {%- if not modules.re.fullmatch('[a-z_][a-z0-9_]*', name) -%}
            {{- exceptions.raise_compiler_error("field '" ~ field ~ "' gives no column name") -}}
        {%- elif name in record_columns() -%}
            {{- exceptions.raise_compiler_error("field '" ~ field ~ "' becomes the reserved column name " ~ name) -}}
        {%- elif name in names -%}
            {{- exceptions.raise_compiler_error(
                "fields '" ~ names[name] ~ "' and '" ~ field ~ "' both become the column name " ~ name
            ) -}}
        {%- endif -%}
        {%- do names.update({name: field}) -%}
    {%- endfor -%}
    {{- return(names) -}}
{% endmacro %}
