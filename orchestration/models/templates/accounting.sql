-- Generated from << table.yaml >> by `elt models`.
-- Edit that file, not this one.
with

accounting as (

    {{ account_rows(
        raw=ref('stg_<< table.source >>__<< table.name >>'),
        checked=ref('<< table.name >>_checked'),
        curated=ref('<< table.name >>'),
        rejected=ref('<< table.name >>_rejected'),
        columns=<< names >>,
        key=<< key >>,
<% if identical %>
        identical='<< identical >>',
<% endif %>
<% if keep_date %>
        keep_date=true,
<% endif %>
    ) }}

)

select * from accounting
