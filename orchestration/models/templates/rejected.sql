-- Generated from << table.yaml >> by `elt models`.
-- Edit that file, not this one.
with

rejected as (

    select
        _reject_reason as reason,
        _page as page,
        _record as record
    from {{ ref('<< table.name >>_checked') }}
    where _reject_reason is not null

)

select * from rejected
order by
    page nulls last,
    record nulls last,
    reason nulls last
