{#- Joined and merged as agate tables, which is what dbt-duckdb gives and dbt takes: its SQL need not be known here. Where
    nothing is built there is nothing to add to, and a column of no rows has no type that another could be merged with. -#}
{% macro complete_catalog(found, database) %}
    {%- if not found.rows -%}
        {{- return(found) -}}
    {%- endif -%}
    {%- set names = ['table_database', 'table_schema', 'table_name'] -%}
    {%- set counts = run_query(count_relations(found.select(names).distinct().rows)) -%}
    {%- set parts = [found.join(counts, names)] -%}
    {%- for declaration in graph.sources.values() if declaration.database == database and declaration.columns -%}
        {%- do parts.append(run_query(describe_source(declaration))) -%}
    {%- endfor -%}
    {{- return(found.merge(parts)) -}}
{% endmacro %}
