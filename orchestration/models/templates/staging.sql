-- Generated from << table.yaml >> by `elt models`.
-- Edit that file, not this one. Declaration << table.digest >>.
{% set fields = << fields >> %}

with

records as (

    {{ raw_records(source('<< table.source >>', '<< table.name >>')<< records >>) }}

),

parsed as (

    select
        *,
<% if record_kind == 'list' %>
        starts_with(_record, '[') as _is_list,
        {{ list_positions('_record') }} as _names,
<% else %>
        starts_with(_record, '{') as _is_object,
        json_keys(_record) as _names,
<% endif %>
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
        _is_<< record_kind >>,
        {{ undeclared_fields(fields<< of_record >>) }} as _undeclared_fields,
        {{ missing_fields(<< plain_fields >><< of_record >>) }} as _missing_fields
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
            }<< of_record >>) }} as _missing_fields
        ),
<% else %>
        *,
<% endif %>
        {{ inexact_columns(<< texts >>, key=<< key >>) }} as _inexact_columns
    from renamed

)

select * from compared
