{%- set fields = ['Stock Code', 'Description'] -%}

with

source as (

    {{ read_raw(source('shop', 'products'), fields) }}

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
