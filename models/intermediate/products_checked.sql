-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one.
with

fields as (

    select * from {{ ref('stg_shop__products') }}

),

typed as (

    select
        stock_code,
        description,
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
            when {{ is_blank('stock_code') }}
                then 'stock_code_missing'
            when list_contains(_inexact_columns, 'stock_code')
                then 'stock_code_not_exact'
            when list_contains(_inexact_columns, 'description')
                then 'description_not_exact'
        end as _reject_reason
    from typed

),

checked as (

    select
        stock_code,
        description,

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
