{%- set fields = ['Stock Code', 'Description'] -%}

with

source as (

    {{ read_raw(source('shop', 'products'), fields, products_table()) }}

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
