{% macro products_table() %}
    {{- return({
        'source': 'shop.products',
        'key': ['stock_code'],
        'columns': {
            'stock_code': 'text',
            'description': 'text',
        },
    }) -}}
{% endmacro %}
