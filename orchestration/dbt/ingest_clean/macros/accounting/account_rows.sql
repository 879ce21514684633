{#- Few keys repeat, so whole rows are compared only under those keys. The arguments are relations and not CTEs: DuckDB
    copies the result of a CTE that is read twice, which would be every row of the day. The distinct keys of accepted
    rows are counted as all rows minus the repeats. Grouping them again would take as long as everything else. -#}
{% macro account_rows(raw, checked, curated, rejected, columns, key, identical=none, keep_date=false) %}
    {%- set is_accepted = '_reject_reason is null' ~ (' and not _is_other_date' if keep_date else '') -%}
    {%- set all_columns = quoted_list(columns) -%}
    {%- set key_columns = quoted_list(key) -%}
    with
    {%- if key %}

    repeated_keys as (

        select {{ key_columns }}
        from {{ checked }}
        where {{ is_accepted }}
        group by {{ key_columns }}
        having count(*) > 1

    ),

    repeated_rows as (

        select
            {{ all_columns }},
            count(*) as _copies
        from {{ checked }}
        inner join repeated_keys using ({{ key_columns }})
        where {{ is_accepted }}
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

    {%- elif identical == 'collapse' %}

    accepted_rows as (

        select {{ all_columns }}
        from {{ checked }}
        where {{ is_accepted }}
        group by {{ all_columns }}

    ),

    curated_rows as (

        select {{ all_columns }}
        from {{ curated }}
        group by {{ all_columns }}

    ),

    {%- endif %}

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
    {%- if key %}
        select
            'accepted_keys' as part,
            null as name,
            count(*)
            - (select coalesce(sum(_copies - 1), 0) from repeated) as row_count
        from {{ checked }}
        where {{ is_accepted }}
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
    {%- else %}
        select
            'accepted_keys' as part,
            null as name,
            count(*) as row_count
        {%- if identical == 'collapse' %}
        from accepted_rows
        {%- else %}
        from {{ checked }}
        where {{ is_accepted }}
        {%- endif %}
        union all
        select
            'curated_keys' as part,
            null as name,
            count(*) as row_count
        from {{ 'curated_rows' if identical == 'collapse' else curated }}
        union all
        select
            'identical' as part,
            null as name,
        {%- if identical == 'collapse' %}
            count(*) - (select count(*) from accepted_rows) as row_count
        from {{ checked }}
        where {{ is_accepted }}
        {%- else %}
            0 as row_count
        {%- endif %}
    {%- endif %}
    {%- if keep_date %}
        union all
        select
            'other_dates' as part,
            null as name,
            count(*) as row_count
        from {{ checked }}
        where _reject_reason is null and _is_other_date
    {%- endif %}
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
