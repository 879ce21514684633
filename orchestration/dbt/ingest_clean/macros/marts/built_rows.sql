{#- Like `published`, of the dates that are built now: for marts by date and what only they read. -#}
{% macro built_rows(relation) %}
    {%- if model.resource_type == 'unit_test' -%}
        {{- return(relation) -}}
    {%- endif -%}
    {{- return(read_published('built_' ~ relation.identifier)) -}}
{% endmacro %}
