{% macro field_text(names, field) %}
    {{- return(adapter.dispatch('field_text', 'ingest_clean')(names, field)) -}}
{% endmacro %}


{% macro duckdb__field_text(names, field) -%}
    {%- if field in fields_of_struct(names) -%}
        struct_extract(_fields, {{ literal(field) }})
    {%- else -%}
        json_extract_string(_record, {{ json_pointer(field) }})
    {%- endif -%}
{%- endmacro %}


{#- A struct's names are not case-sensitive and not empty; the names in a JSON object may differ by case alone. -#}
{% macro fields_of_struct(names) %}
    {%- set found = {} -%}
    {%- for field in names.values() if field -%}
        {%- do found.setdefault(field | lower, field) -%}
    {%- endfor -%}
    {{- return(found.values() | list) -}}
{% endmacro %}


{% macro json_pointer(field) -%}
    {{ literal('/' ~ field | replace('~', '~0') | replace('/', '~1')) }}
{%- endmacro %}
