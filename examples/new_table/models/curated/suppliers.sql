with

accepted as (

    select * from {{ ref('suppliers_checked') }}
    where _reject_reason is null

),

deduplicated as (

    {{ keep_first('accepted', suppliers_table()) }}

)

select * from deduplicated
order by {{ key_order(suppliers_table()) }}
