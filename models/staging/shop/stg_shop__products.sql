-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one. Declaration 96d7f14ed5d4.
{% set fields = ['Stock Code', 'Description'] %}

with

records as (

    {{ raw_records(source('shop', 'products')) }}

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
        _fields['Stock Code'] as stock_code,
        _fields['Description'] as description,

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
            'stock_code': 'Stock Code',
            'description': 'Description',
        }, key=['stock_code']) }} as _inexact_columns
    from renamed

)

select * from compared
