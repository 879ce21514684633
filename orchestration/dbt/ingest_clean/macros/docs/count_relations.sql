{% macro count_relations(names) %}
    {%- for database, schema, table in names -%}
        select
            '{{ database }}' as table_database,
            '{{ schema }}' as table_schema,
            '{{ table }}' as table_name,
            {{ row_count_stat() }}
        from {{ api.Relation.create(database=database, schema=schema, identifier=table) }}
        {%- if not loop.last %}
        union all
        {% endif -%}
    {%- endfor -%}
{% endmacro %}
