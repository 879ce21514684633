{%- set fields = [
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
] -%}

with

source as (

    {{ read_raw(source('shop', 'events'), fields, events_table()) }}

),

renamed as (

    select
        {{ rename_fields(fields) }},

        ---------- the record they come from
        _page,
        _record,
        _is_object,
        _undeclared_fields,
        _missing_fields,
        _inexact_columns
    from source

)

select * from renamed
