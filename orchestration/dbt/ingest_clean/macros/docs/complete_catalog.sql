{#- The tables are joined and merged as agate tables, the type that dbt-duckdb returns and dbt expects, so its SQL need
    not be known here. If nothing is built, there is nothing to extend, and a column without rows has no type to merge.
    -#}
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
