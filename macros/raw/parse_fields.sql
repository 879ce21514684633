{% macro parse_fields(fields) %}
    {{- return(adapter.dispatch('parse_fields', 'ingest_clean')(fields)) -}}
{% endmacro %}


{% macro duckdb__parse_fields(fields) -%}
    {%- set types = {} -%}
    {%- for field in fields -%}
        {%- do types.update({field: 'VARCHAR'}) -%}
    {%- endfor -%}
    from_json(_record, {{ literal(tojson(types)) }})
{%- endmacro %}
