-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one.
with

accepted as (

    select * from {{ ref('products_checked') }}
    where _reject_reason is null

),

-- Of the rows of one key the first is kept.
ranked as (

    select
        *,
        row_number() over (
            partition by stock_code
            order by
                description nulls last
        ) as _copy_number
    from accepted

),

deduplicated as (

    select
        stock_code,
        description
    from ranked
    where _copy_number = 1

)

select * from deduplicated
order by stock_code nulls last
