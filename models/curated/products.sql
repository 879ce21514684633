with

accepted as (

    select * from {{ ref('products_checked') }}
    where _reject_reason is null

),

deduplicated as (

    {{ keep_first('accepted', products_table()) }}

)

select * from deduplicated
order by {{ key_order(products_table()) }}
