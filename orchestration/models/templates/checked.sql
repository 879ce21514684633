-- Generated from << table.yaml >> by `elt models`.
-- Edit that file, not this one.
with

fields as (

    select * from {{ ref('stg_<< table.source >>__<< table.name >>') }}

),

<% if table.columns | selectattr('local') | list %>
-- Times that their column's zone makes instants of.
local_times as (

    select
<% for column in table.columns if column.local %>
        << aliased(column.local, "_" ~ column.name ~ "_local", 8) >>,
<% endfor %>
        *
    from fields

),

<% endif %>
typed as (

    select
<% for column in table.columns %>
<% if column.text %>
        << aliased(column.sql, column.text, 8) >>,
<% endif %>
<% if column.data_type == 'varchar' %>
        << column.sql >>,
<% else %>
        << aliased(column.typed, column.name, 8) >>,
<% endif %>
<% endfor %>
        _page,
        _record,
        _is_<< record_kind >>,
        _undeclared_fields,
        _missing_fields,
        _inexact_columns
    from << 'local_times' if table.columns | selectattr('local') | list else 'fields' >>

),

-- The first reason that holds is the row's.
judged as (

    select
        *,
        case
            when not _is_<< record_kind >>
                then 'record_not_<< record_kind >>'
<% for column in table.key %>
            when {{ is_blank('<< column.text or column.sql >>') }}
                then '<< column.name >>_missing'
<% endfor %>
<% for column in table.columns %>
<% if column.data_type == 'varchar' %>
            when list_contains(_inexact_columns, '<< column.name >>')
                then '<< column.name >>_not_exact'
<% else %>
<% if column.decimal == 'comma' %>
            when list_contains(_inexact_columns, '<< column.name >>')
                then '<< column.name >>_<< column.fault >>'
<% endif %>
<% if column.nullable %>
            when
                << column.text >> is not null
                and (
                    << column.sql >> is null
<% if column.range_test %>
                    or {{ << column.range_test >>('<< column.sql >>') }}
<% endif %>
                )
<% elif column.range_test %>
            when
                << column.sql >> is null
                or {{ << column.range_test >>('<< column.sql >>') }}
<% else %>
            when << column.sql >> is null
<% endif %>
                then '<< column.name >>_<< column.fault >>'
<% if column.in_key and column.precision_test %>
            when {{ << column.precision_test >> }}
                then '<< column.name >>_not_exact'
<% endif %>
<% endif %>
<% endfor %>
        end as _reject_reason
    from typed

),

checked as (

    select
<% for column in table.columns %>
        << column.sql >>,
<% endfor %>

        ---------- why it is rejected, and where it comes from
        _reject_reason,
<% if keep_date %>
        coalesce({{ is_other_date(<< keep_date >>) }}, false)
            as _is_other_date,
<% endif %>
        case when _reject_reason is not null then _page end as _page,
        case
            when _reject_reason is not null
                then cast(_record as {{ dbt.type_string() }})
        end as _record,

        ---------- what its record has too much or too little
        _undeclared_fields,
        _missing_fields
    from judged

)

select * from checked
