{% macro source_meta(source) %}
    {%- set declaration = source_declaration(*source.split('.')) -%}
    {{- return(declaration.config.meta if declaration else none) -}}
{% endmacro %}
