{#- Records from an object with a list for each field. A value that is no list belongs to each record. Cells are joined
    by their row, because a list that a lambda indexes is copied for each row. -#}
{% macro transposed_records(bodies, at) %}
    {{- return(adapter.dispatch('transposed_records')(bodies, at)) -}}
{% endmacro %}


{% macro duckdb__transposed_records(bodies, at) -%}
    with

    members as (

        select
            _uri,
            unnest(
                case
                    when json_type(_found) = 'OBJECT'
                        then json_keys(_found)
                    when json_type(_found) = 'ARRAY' and json_array_length(_found) = 0
                        then cast([] as varchar[])
                    else error({{ literal('No object ' ~ at ~ ' with lists in file "') }} || _uri || '"')
                end
            ) as _name,
            unnest(json_extract(_found, '$.*')) as _value,
            generate_subscripts(json_keys(_found), 1) as _position
        from (
            {{ bodies }}
        )

    ),

    listed as (

        select
            *,
            case when json_type(_value) = 'ARRAY' then from_json(_value, '["JSON"]') end as _values
        from members

    ),

    measured as (

        select
            _uri,
            min(len(_values)) as _shortest,
            max(len(_values)) as _longest,
            substr(
                string_agg(_name || ' ' || len(_values), ', ' order by _position), 1, 300
            ) as _lengths
        from listed
        group by _uri

    ),

    cells as (

        select
            _uri,
            _name,
            _position,
            unnest(
                range(
                    case
                        when _shortest = _longest
                            then _longest
                        when _longest is null
                            then error({{ literal('No object ' ~ at ~ ' with lists in file "') }} || _uri || '"')
                        else error(
                            {{ literal('Lists of unequal lengths in ' ~ at ~ ': ') }}
                            || _lengths || ' in file "' || _uri || '"'
                        )
                    end
                )
            ) as _row,
            unnest(coalesce(_values, list_resize([_value], _longest, _value))) as _cell
        from listed
        inner join measured using (_uri)

    )

    select
        cast(
            '{'
            || string_agg(
                to_json(_name) || ':' || coalesce(_cell, 'null'), ','
                order by _position
            )
            || '}' as json
        ) as _record,
        {{ page_key('_uri') }} as _page
    from cells
    group by _uri, _row
{%- endmacro %}
