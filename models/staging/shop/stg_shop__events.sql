-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one. Declaration 144739cd95f9.
{% set fields = [
    'Event ID',
    'Event Type',
    'Timestamp',
    'Invoice No',
    'Stock Code',
    'Description',
    'Quantity',
    'Price',
    'Customer ID',
    'Country',
] %}

with

records as (

    {{ raw_records(source('shop', 'events')) }}

),

parsed as (

    select
        *,
        starts_with(_record, '{') as _is_object,
        json_keys(_record) as _names,
        {{ parse_fields(fields) }} as _fields
    from records

),

renamed as (

    select
        _fields['Event ID'] as event_id,
        _fields['Event Type'] as event_type,
        _fields['Timestamp'] as timestamp,
        _fields['Invoice No'] as invoice_no,
        _fields['Stock Code'] as stock_code,
        _fields['Description'] as description,
        _fields['Quantity'] as quantity,
        _fields['Price'] as price,
        _fields['Customer ID'] as customer_id,
        _fields['Country'] as country,

        ---------- the record they come from
        _page,
        _record,
        _is_object,
        {{ undeclared_fields(fields) }} as _undeclared_fields,
        {{ missing_fields(fields) }} as _missing_fields
    from parsed

),

compared as (

    select
        *,
        {{ inexact_columns({
            'event_id': 'Event ID',
            'event_type': 'Event Type',
            'invoice_no': 'Invoice No',
            'stock_code': 'Stock Code',
            'description': 'Description',
            'customer_id': 'Customer ID',
            'country': 'Country',
        }, key=['event_id']) }} as _inexact_columns
    from renamed

)

select * from compared
