{% macro record_columns() %}
    {{- return(['page', 'record', 'is_object', 'undeclared_fields', 'missing_fields', 'reject_reason']) -}}
{% endmacro %}
