{% macro not_null_columns(model) %}
    {%- set names = [] -%}
    {%- for column in model.columns.values() -%}
        {%- for constraint in column.constraints -%}
            {%- if constraint.type != 'not_null' -%}
                {{- exceptions.raise_compiler_error(
                    model.original_file_path ~ ": column " ~ column.name ~ ": only not_null constraints are kept here, not "
                    ~ constraint.type
                ) -}}
            {%- endif -%}
            {%- do names.append(column.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(names) -}}
{% endmacro %}
