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

    {{ read_raw(source('shop', 'events'), fields) }}

),

renamed as (

    select
        {{ rename_fields(fields) }},

        ---------- the record they come from
        page,
        record,
        is_object,
        undeclared_fields,
        missing_fields
    from source

)

select * from renamed
