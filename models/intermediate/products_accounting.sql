-- Generated from models/staging/shop/_shop__sources.yml by `elt models`.
-- Edit that file, not this one.
with

accounting as (

    {{ account_rows(
        raw=ref('stg_shop__products'),
        checked=ref('products_checked'),
        curated=ref('products'),
        rejected=ref('products_rejected'),
        columns=['stock_code', 'description'],
        key=['stock_code'],
    ) }}

)

select * from accounting
