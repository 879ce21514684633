with

accepted as (

    select * from {{ ref('products_checked') }}
    where reject_reason is null

),

deduplicated as (

    {{ keep_first('accepted', products_table()) }}

)

select * from deduplicated
order by stock_code nulls last
