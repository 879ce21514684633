-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one.
with

fields as (

    select * from {{ ref('stg_shop__events') }}

),

typed as (

    select
        event_id,
        event_type,
        {{ to_timestamptz('timestamp') }} as timestamp,
        invoice_no,
        stock_code,
        description,
        {{ to_bigint('quantity') }} as quantity,
        {{ to_double('price') }} as price,
        customer_id,
        country,
        _page,
        _record,
        _is_object,
        _undeclared_fields,
        _missing_fields,
        _inexact_columns
    from fields

),

-- The first reason that holds is the row's.
judged as (

    select
        *,
        case
            when not _is_object
                then 'record_not_object'
            when {{ is_blank('event_id') }}
                then 'event_id_missing'
            when list_contains(_inexact_columns, 'event_id')
                then 'event_id_not_exact'
            when list_contains(_inexact_columns, 'event_type')
                then 'event_type_not_exact'
            when
                timestamp is null
                or {{ is_outside_years('timestamp') }}
                then 'timestamp_unparseable'
            when list_contains(_inexact_columns, 'invoice_no')
                then 'invoice_no_not_exact'
            when list_contains(_inexact_columns, 'stock_code')
                then 'stock_code_not_exact'
            when list_contains(_inexact_columns, 'description')
                then 'description_not_exact'
            when quantity is null
                then 'quantity_not_integer'
            when
                price is null
                or {{ is_infinite('price') }}
                then 'price_not_numeric'
            when list_contains(_inexact_columns, 'customer_id')
                then 'customer_id_not_exact'
            when list_contains(_inexact_columns, 'country')
                then 'country_not_exact'
        end as _reject_reason
    from typed

),

checked as (

    select
        event_id,
        event_type,
        timestamp,
        invoice_no,
        stock_code,
        description,
        quantity,
        price,
        customer_id,
        country,

        ---------- why it is rejected, and where it comes from
        _reject_reason,
        case when _reject_reason is not null then _page end as _page,
        case
            when _reject_reason is not null
                then cast(_record as {{ dbt.type_string() }})
        end as _record,

        ---------- what its record has too much or too little
        _undeclared_fields,
        _missing_fields
    from judged

)

select * from checked
