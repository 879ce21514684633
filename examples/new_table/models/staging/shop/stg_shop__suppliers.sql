{%- set fields = ['Supplier ID', 'Name', 'Lead Days', 'Rating', 'Updated At'] -%}

with

source as (

    {{ read_raw(source('shop', 'suppliers'), fields, suppliers_table()) }}

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
