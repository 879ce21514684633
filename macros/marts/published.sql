{#- `ref` is for the lineage and for unit tests, whose rows carry `_execution_date` themselves: a run of the marts builds no
    curated table, it reads the files that receipts list. -#}
{% macro published(relation) %}
    {%- if model.resource_type == 'unit_test' -%}
        {{- return(relation) -}}
    {%- endif -%}
    {{- return(adapter.dispatch('published', 'ingest_clean')(relation)) -}}
{% endmacro %}


{#- By name: a date published before a column came to be has nulls there. -#}
{% macro duckdb__published(relation) -%}
    (
        select
            *,
            cast(regexp_extract(_uri, 'date=([0-9-]+)/', 1) as date) as _execution_date
        from read_parquet(
            getvariable('published_{{ relation.identifier }}'),
            union_by_name = true,
            hive_partitioning = false,
            filename = '_uri'
        )
    )
{%- endmacro %}
