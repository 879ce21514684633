-- Generated from << table.yaml >> by `make models`.
-- Edit that file, not this one. Declaration << table.digest >>.
{% set fields = << fields >> %}

with

records as (

    {{ raw_records(source('<< table.source >>', '<< table.name >>')) }}

),

parsed as (

    select
        *,
        starts_with(_record, '{') as _is_object,
        json_keys(_record) as _names,
        {{ parse_fields(<< structure >>) }} as _fields
    from records

),

renamed as (

    select
<% for column in table.columns %>
        << aliased(values[column.name], column.name, 8) >>,
<% endfor %>

        ---------- the record they come from
        _page,
        _record,
        _is_object,
        {{ undeclared_fields(fields) }} as _undeclared_fields,
        {{ missing_fields(<< plain_fields >>) }} as _missing_fields
    from parsed

),

compared as (

    select
<% if by_path %>
        * replace (
            {{ add_missing_paths({
<% for column in by_path %>
                << label(column) >>: ('<< column.name >>', << places[column.name] >>),
<% endfor %>
            }) }} as _missing_fields
        ),
<% else %>
        *,
<% endif %>
        {{ inexact_columns(<< texts >>, key=<< key >>) }} as _inexact_columns
    from renamed

)

select * from compared
