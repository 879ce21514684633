{% macro column_names(fields) %}
    {%- set names = {} -%}
    {%- set list_in = model.original_file_path ~ ": " -%}
    {%- for entry in fields -%}
        {%- set field, own_name = (entry.items() | first) if entry is mapping else (entry, none) -%}
        {%- set name = own_name or snake_case(field) -%}
        {%- set way_round = "write {" ~ tojson(field) ~ ": 'another_name'} in place of the field to name its column" -%}
        {%- if entry is mapping and entry | length != 1 -%}
            {{- exceptions.raise_compiler_error(
                list_in ~ "the entry " ~ entry ~ " is not one field and its column name"
            ) -}}
        {%- elif not modules.re.fullmatch('[a-z][a-z0-9_]*', name) -%}
            {{- exceptions.raise_compiler_error(
                list_in ~ "field '" ~ field ~ "' gives no column name (found '" ~ name
                ~ "', expected a lower-case letter, then letters, digits and underscores): " ~ way_round
            ) -}}
        {%- elif field in names.values() -%}
            {{- exceptions.raise_compiler_error(list_in ~ "field '" ~ field ~ "' is listed twice") -}}
        {%- elif name in names -%}
            {{- exceptions.raise_compiler_error(
                list_in ~ "fields '" ~ names[name] ~ "' and '" ~ field ~ "' both become the column name "
                ~ name ~ ": " ~ way_round
            ) -}}
        {%- endif -%}
        {%- do names.update({name: field}) -%}
    {%- endfor -%}
    {{- return(names) -}}
{% endmacro %}

