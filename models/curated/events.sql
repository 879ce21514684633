with

accepted as (

    select * from {{ ref('events_checked') }}
    where _reject_reason is null

),

deduplicated as (

    {{ keep_first('accepted', events_table()) }}

)

select * from deduplicated
order by {{ key_order(events_table()) }}
