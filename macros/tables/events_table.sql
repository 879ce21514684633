{% macro events_table() %}
    {{- return({
        'source': 'shop.events',
        'key': ['event_id'],
        'earliest': 'timestamp',
        'columns': {
            'event_id': 'text',
            'event_type': 'text',
            'timestamp': 'instant',
            'invoice_no': 'text',
            'stock_code': 'text',
            'description': 'text',
            'quantity': 'integer',
            'price': 'number',
            'customer_id': 'text',
            'country': 'text',
        },
    }) -}}
{% endmacro %}
