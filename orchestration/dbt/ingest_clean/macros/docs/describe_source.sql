{#- No database has the raw pages as a table. The YAML declares their fields and types. -#}
{% macro describe_source(declaration) %}
    {%- set relation = api.Relation.create(
        database=declaration.database, schema=declaration.schema, identifier=declaration.identifier
    ) -%}
    with

    counted as (

        select {{ row_count_stat() }}
        from ({{ raw_records(relation, declaration) }}) as records

    ),

    fields as (

        {% for column in declaration.columns.values() -%}
            select
                {{ literal(column.name) }} as column_name,
                {{ loop.index }} as column_index,
                '{{ (column.data_type or 'varchar') | upper }}' as column_type
            {%- if not loop.last %}
            union all
            {% endif -%}
        {%- endfor %}

    )

    select
        '{{ relation.database }}' as table_database,
        '{{ relation.schema }}' as table_schema,
        '{{ relation.identifier }}' as table_name,
        'RAW PAGES' as table_type,
        fields.*,
        counted.*
    from fields
    cross join counted
{% endmacro %}
