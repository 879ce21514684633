{% macro parse_fields(fields=none, structure=none) %}
    {{- return(adapter.dispatch('parse_fields')(fields, structure)) -}}
{% endmacro %}


{% macro duckdb__parse_fields(fields, structure) -%}
    {%- set types = structure or {} -%}
    {%- for field in fields or [] -%}
        {%- do types.update({field: 'VARCHAR'}) -%}
    {%- endfor -%}
    from_json(_record, {{ literal(tojson(types)) }})
{%- endmacro %}
