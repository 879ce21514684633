{% macro rename_fields(fields) %}
    {%- set names = column_names(fields) -%}
    {%- for name, field in names.items() -%}
        {{ field_text(names, field) }} as {{ quoted(name) }}
        {%- if not loop.last %},
        {% endif -%}
    {%- endfor -%}
{% endmacro %}
