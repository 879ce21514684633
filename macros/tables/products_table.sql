{% macro products_table() %}
    {{- return({
        'key': ['stock_code'],
        'columns': {
            'stock_code': 'text',
            'description': 'text',
        },
    }) -}}
{% endmacro %}
