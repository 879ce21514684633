{#- A run has no database of its own: what is not published are temporary views, and what would be a table is kept by the
    executors. -#}
{% materialization table, adapter='spark', supported_languages=['sql'] %}

    {{- run_hooks(pre_hooks) -}}
    {%- if is_cleaning() -%}
        {%- do clean_rows(this.identifier, sql) -%}
        {%- do run_query('cache table ' ~ this) -%}
    {%- else -%}
        {%- do keep_rows(this.identifier, sql) -%}
    {%- endif -%}
    {{- run_hooks(post_hooks) -}}

    {{- return({'relations': [this.incorporate(type='view')]}) -}}

{% endmaterialization %}


{% materialization view, adapter='spark', supported_languages=['sql'] %}

    {{- run_hooks(pre_hooks) -}}
    {%- if is_cleaning() -%}
        {%- do clean_rows(this.identifier, sql) -%}
    {%- else -%}
        {%- do create_global_view(this.identifier, sql) -%}
    {%- endif -%}
    {{- run_hooks(post_hooks) -}}

    {{- return({'relations': [this.incorporate(type='view')]}) -}}

{% endmaterialization %}


{#- These two statements are of `elt`: see `orchestration.spark.cursor`. -#}
{% macro clean_rows(name, sql) %}
    {% call statement('main') -%}
        /* elt clean: {{ name }} */ {{ sql }}
    {%- endcall %}
{% endmacro %}


{#- Spark's own `cache table` does not find the rows again if the SQL has a CTE: each reading gives it another id. -#}
{% macro keep_rows(name, sql) %}
    {% call statement('main') -%}
        /* elt keep: {{ name }} */ {{ sql }}
    {%- endcall %}
{% endmacro %}


{% macro create_global_view(name, sql) %}
    {% call statement('main') -%}
        create or replace global temporary view {{ name }} as
        {{ sql }}
    {%- endcall %}
{% endmacro %}


{#- Spark creates the schema of temporary views itself. -#}
{% macro spark__create_schema(relation) -%}
{%- endmacro %}


{#- All relations are of this run. -#}
{% macro spark__list_relations_without_caching(relation) %}
    {{- return([]) -}}
{% endmacro %}
