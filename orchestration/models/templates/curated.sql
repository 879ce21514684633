-- Generated from << table.yaml >> by `elt models`.
-- Edit that file, not this one.
with

accepted as (

    select * from {{ ref('<< table.name >>_checked') }}
    where _reject_reason is null<< ' and not _is_other_date' if keep_date >>

),

<% if table.key %>
-- Of the rows of one key the first is kept.
ranked as (

    select
        *,
        row_number() over (
            partition by << listed(table.key) >>
            order by
<% for column in table.order %>
                << column.sql >><< ' desc' if column.name == latest >> nulls last<< ',' if not loop.last >>
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
<% else %>
<% if identical == 'collapse' %>
-- Of rows that are equal in every column one is kept.
<% endif %>
deduplicated as (

    select<< ' distinct' if identical == 'collapse' >>
<% for column in table.columns %>
        << column.sql >><< ',' if not loop.last >>
<% endfor %>
    from accepted

)
<% endif %>

select * from deduplicated
order by<< ordered >>
