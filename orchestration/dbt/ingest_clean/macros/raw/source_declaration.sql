{% macro source_declaration(source_name, table_name) %}
    {%- for node in (graph.get('sources') or {}).values() -%}
        {%- if node.source_name == source_name and node.name == table_name -%}
            {{- return(node) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(none) -}}
{% endmacro %}
