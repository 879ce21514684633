{% macro rename_fields(fields) %}
    {%- for name, field in column_names(fields).items() -%}
        fields.{{ adapter.quote(field) }} as {{ name }}
        {%- if not loop.last %},
        {% endif -%}
    {%- endfor -%}
{% endmacro %}
