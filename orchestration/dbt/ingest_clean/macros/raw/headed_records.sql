{#- Records from a list of lists, of which the first has the names of the fields. Another list without a value for each
    name stays as it is, and is rejected as no object. -#}
{% macro headed_records(bodies, at) %}
    {{- return(adapter.dispatch('headed_records')(bodies, at)) -}}
{% endmacro %}


{#- The noqa is for sqlfluff, which does not know DuckDB's lambda. -#}
{% macro duckdb__headed_records(bodies, at) -%}
    with

    listed as (

        select
            _uri,
            case
                when json_type(_found) = 'ARRAY'
                    then from_json(_found, '["JSON"]')
                else error({{ literal('No list ' ~ at ~ ' in file "') }} || _uri || '"')
            end as _rows
        from (
            {{ bodies }}
        )

    ),

    named as (

        select
            *,
            case -- noqa: PRS
                when
                    json_type(_rows[1]) = 'ARRAY'
                    and list_bool_and(
                        list_transform(
                            from_json(_rows[1], '["JSON"]'),
                            lambda name: coalesce(json_type(name), 'NULL') = 'VARCHAR'
                        )
                    )
                    then from_json(_rows[1], '["VARCHAR"]')
            end as _header
        from listed

    ),

    headed as (

        select
            _uri,
            _header,
            unnest(
                case
                    when len(_rows) = 0 or _header is not null
                        then _rows[2:]
                    else error({{ literal('No list ' ~ at ~ ' whose first row has names in file "') }} || _uri || '"')
                end
            ) as _row
        from named

    )

    select
        case -- noqa: PRS
            when json_type(_row) = 'ARRAY' and json_array_length(_row) = len(_header)
                then cast(
                    '{'
                    || array_to_string(
                        list_transform(
                            list_zip(_header, from_json(_row, '["JSON"]')),
                            lambda cell: to_json(cell[1]) || ':' || coalesce(cell[2], 'null')
                        ), ','
                    )
                    || '}' as json
                )
            else coalesce(_row, 'null')
        end as _record,
        {{ page_key('_uri') }} as _page
    from headed
{%- endmacro %}
