{% macro optional_fields(source) %}
    {%- set names = [] -%}
    {%- set declaration = source_declaration(*source.split('.')) -%}
    {%- for column in (declaration.columns if declaration else {}).values() -%}
        {%- if column.config.meta.get('optional') -%}
            {%- do names.append(column.config.meta.get('field') or column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(names) -}}
{% endmacro %}
