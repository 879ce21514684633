{#- Few keys repeat, so whole rows are compared only under those keys. The arguments are relations and not CTEs: DuckDB
    copies the result of a CTE that is read twice, which would be every row of the day. The distinct keys of accepted
    rows are counted as all rows minus the repeats. Grouping them again would take as long as everything else. -#}
{% macro account_rows(raw, checked, curated, rejected, columns, key) %}
    {%- set all_columns = quoted_list(columns) -%}
    {%- set key_columns = quoted_list(key) -%}
    with

    repeated_keys as (

        select {{ key_columns }}
        from {{ checked }}
        where _reject_reason is null
        group by {{ key_columns }}
        having count(*) > 1

    ),

    repeated_rows as (

        select
            {{ all_columns }},
            count(*) as _copies
        from {{ checked }}
        inner join repeated_keys using ({{ key_columns }})
        where _reject_reason is null
        group by {{ all_columns }}

    ),

    repeated as (

        select
            {{ key_columns }},
            count(*) as _versions,
            sum(_copies) as _copies
        from repeated_rows
        group by {{ key_columns }}

    ),

    curated_keys as (

        select {{ key_columns }}
        from {{ curated }}
        group by {{ key_columns }}

    ),

    undeclared as (

        select {{ unnested('_undeclared_fields') }} as name
        from {{ checked }}
        where _undeclared_fields is not null

    ),

    missing as (

        select {{ unnested('_missing_fields') }} as name
        from {{ checked }}
        where _missing_fields is not null

    ),

    parts as (

        select
            'raw' as part,
            cast(null as {{ dbt.type_string() }}) as name,
            count(*) as row_count
        from {{ raw }}
        union all
        select
            'curated' as part,
            null as name,
            count(*) as row_count
        from {{ curated }}
        union all
        select
            'accepted_keys' as part,
            null as name,
            count(*)
            - (select coalesce(sum(_copies - 1), 0) from repeated) as row_count
        from {{ checked }}
        where _reject_reason is null
        union all
        select
            'curated_keys' as part,
            null as name,
            count(*) as row_count
        from curated_keys
        union all
        select
            'identical' as part,
            null as name,
            coalesce(sum(_copies - _versions), 0) as row_count
        from repeated
        union all
        select
            'conflicting' as part,
            {{ key_text(key) }} as name,
            _versions - 1 as row_count
        from repeated
        where _versions > 1
        union all
        select
            'rejected' as part,
            reason as name,
            count(*) as row_count
        from {{ rejected }}
        group by reason
        union all
        select
            'undeclared' as part,
            name,
            count(*) as row_count
        from undeclared
        group by name
        union all
        select
            'missing' as part,
            name,
            count(*) as row_count
        from missing
        group by name

    )

    select
        part,
        name,
        cast(row_count as bigint) as row_count
    from parts
{% endmacro %}
