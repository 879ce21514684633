{#- Repeated keys are few, so whole rows are compared only under those. The arguments are relations and no CTEs: DuckDB
    copies what a CTE gives when it is read twice, which would be every row of the day. -#}
{% macro account_rows(raw, checked, curated, rejected, table) %}
    {%- set columns = table.columns | join(', ') -%}
    {%- set key = table.key | join(', ') -%}
    with

    repeated_keys as (

        select {{ key }}
        from {{ checked }}
        where reject_reason is null
        group by {{ key }}
        having count(*) > 1

    ),

    repeated_rows as (

        select
            {{ columns }},
            count(*) as copies
        from {{ checked }}
        inner join repeated_keys using ({{ key }})
        where reject_reason is null
        group by {{ columns }}

    ),

    repeated as (

        select
            {{ key }},
            count(*) as versions,
            sum(copies) as copies
        from repeated_rows
        group by {{ key }}

    ),

    undeclared as (

        select {{ flattened('undeclared_fields') }} as name
        from {{ checked }}
        where undeclared_fields is not null

    ),

    missing as (

        select {{ flattened('missing_fields') }} as name
        from {{ checked }}
        where missing_fields is not null

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
            'identical' as part,
            null as name,
            coalesce(sum(copies - versions), 0) as row_count
        from repeated
        union all
        select
            'conflicting' as part,
            {{ key_text(table.key) }} as name,
            versions - 1 as row_count
        from repeated
        where versions > 1
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
