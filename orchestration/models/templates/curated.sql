-- Generated from << table.yaml >> by `make models`.
-- Edit that file, not this one.
with

accepted as (

    select * from {{ ref('<< table.name >>_checked') }}
    where _reject_reason is null

),

-- Of the rows of one key the first is kept.
ranked as (

    select
        *,
        row_number() over (
            partition by << listed(table.key) >>
            order by
<% for column in table.order %>
                << column.sql >> nulls last<< ',' if not loop.last >>
<% endfor %>
        ) as _copy_number
    from accepted

),

deduplicated as (

    select
<% for column in table.columns %>
        << column.sql >><< ',' if not loop.last >>
<% endfor %>
    from ranked
    where _copy_number = 1

)

select * from deduplicated
order by<< ordered >>
