with

rejected as (

    select
        reject_reason as reason,
        page,
        record
    from {{ ref('suppliers_checked') }}
    where reject_reason is not null

)

select * from rejected
order by
    page nulls last,
    record nulls last,
    reason nulls last
