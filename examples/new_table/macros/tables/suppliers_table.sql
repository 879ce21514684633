{% macro suppliers_table() %}
    {{- return({
        'source': 'shop.suppliers',
        'key': ['supplier_id'],
        'earliest': 'updated_at',
        'columns': {
            'supplier_id': 'text',
            'name': 'text',
            'lead_days': 'integer',
            'rating': 'number',
            'updated_at': 'instant',
        },
        'optional': ['rating'],
    }) -}}
{% endmacro %}
