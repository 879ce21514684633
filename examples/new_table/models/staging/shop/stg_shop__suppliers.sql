{%- set fields = ['Supplier ID', 'Name', 'Lead Days', 'Rating', 'Updated At'] -%}

with

source as (

    {{ read_raw(source('shop', 'suppliers'), fields) }}

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
