{#- `ref` provides the lineage and is used by unit tests, whose rows have `_execution_date`. A run of the marts builds
    no curated table. It reads the files that receipts list. -#}
{% macro published(relation) %}
    {%- if model.resource_type == 'unit_test' -%}
        {{- return(relation) -}}
    {%- endif -%}
    {{- return(read_published('published_' ~ relation.identifier)) -}}
{% endmacro %}


{% macro read_published(variable) %}
    {{- return(adapter.dispatch('read_published')(variable)) -}}
{% endmacro %}


{#- Columns are matched by name. A date published before a column existed has nulls there. -#}
{% macro duckdb__read_published(variable) -%}
    (
        select
            *,
            cast(regexp_extract(_uri, 'date=([0-9-]+)/', 1) as date) as _execution_date
        from read_parquet(
            getvariable({{ literal(variable) }}),
            union_by_name = true,
            hive_partitioning = false,
            filename = '_uri'
        )
    )
{%- endmacro %}


{#- A view that `elt` creates before dbt runs. -#}
{% macro spark__read_published(variable) -%}
    {{ target.schema }}.{{ variable }}
{%- endmacro %}
