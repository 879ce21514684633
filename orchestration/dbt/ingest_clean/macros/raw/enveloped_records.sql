{#- Records at a place in a body, or in a shape other than a list. `places` are the places that the path may mean, of
    which the first that the body has counts; `path` is the path as the declaration has it, for errors. -#}
{% macro enveloped_records(pages, places, shape, path) %}
    {{- return(adapter.dispatch('enveloped_records')(pages, places, shape, path)) -}}
{% endmacro %}


{% macro duckdb__enveloped_records(pages, places, shape, path) -%}
    {%- set found = [] -%}
    {%- for place in places -%}
        {%- do found.append(json_at('json_extract', place, document='json') if place else 'json') -%}
    {%- endfor -%}
    {%- set at = '"' ~ path ~ '"' -%}
    {%- set bodies -%}
        select
            {{ 'coalesce(' ~ found | join(', ') ~ ')' if found | length > 1 else found[0] }} as _found,
            _uri
        from read_json_objects(
            {{ pages }},
            format = 'unstructured',
            filename = '_uri'
        )
    {%- endset -%}
    {%- if shape == 'list' -%}
        {#- A null in the list, which DuckDB returns as SQL null, is a record. -#}
        select
            coalesce(
                unnest(
                    case
                        when json_type(_found) = 'ARRAY'
                            then from_json(_found, '["JSON"]')
                        else error({{ literal('No list ' ~ at ~ ' in file "') }} || _uri || '"')
                    end
                ),
                'null'
            ) as _record,
            {{ page_key('_uri') }} as _page
        from (
            {{ bodies }}
        )
    {%- elif shape == 'values' -%}
        {#- Some APIs write an empty object as an empty list. -#}
        select
            unnest(
                case
                    when json_type(_found) = 'OBJECT'
                        then json_keys(_found)
                    when json_type(_found) = 'ARRAY' and json_array_length(_found) = 0
                        then cast([] as varchar[])
                    else error({{ literal('No object ' ~ at ~ ' in file "') }} || _uri || '"')
                end
            ) as _record_name,
            unnest(json_extract(_found, '$.*')) as _record,
            {{ page_key('_uri') }} as _page
        from (
            {{ bodies }}
        )
    {%- elif shape == 'table' -%}
        {{- headed_records(bodies, at) -}}
    {%- else -%}
        {{- transposed_records(bodies, at) -}}
    {%- endif -%}
{%- endmacro %}
