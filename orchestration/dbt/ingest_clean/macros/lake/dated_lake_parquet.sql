{#- A mart by date, in several files: those that a build does not change are kept as they are. Which files there are,
    and which are written, is decided before dbt runs: see `orchestration.lake.dated_files`. -#}
{% materialization dated_lake_parquet, adapter='duckdb', supported_languages=['sql'] %}

    {%- do require_known_options(model) -%}
    {%- do require_dated(model) -%}
    {%- if flags.EMPTY and target.name != 'dev' -%}
        {{- exceptions.raise_compiler_error("--empty would write empty files over the lake's: use it with target dev") -}}
    {%- endif -%}

    {%- set view = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set built = quoted(this.identifier ~ '__built') -%}
    {%- set files = dated_files() -%}

    {{- run_hooks(pre_hooks) -}}

    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}

    {#- Sorted, so that the rows of one file are found without a scan of all. -#}
    {% call statement('build') -%}
        create or replace temporary table {{ built }} as (
            select * from (
                {{ sql }}
            ) as built
            order by {{ in_order(model) }}
        )
    {%- endcall %}

    {%- do check_built(built, model) -%}
    {%- for file in files.written -%}
        {%- set uri = dated_uri(model, file, files) -%}
        {%- if loop.first -%}
            {#- The plugin creates the folder of a local lake. -#}
            {%- do adapter.store_relation('lake', view, [], uri, 'parquet', config) -%}
        {%- endif -%}
        {% call statement('write_' ~ file) -%}
            {{ write_parquet(rows_of_file(built, model, file, files) ~ ' order by ' ~ in_order(model), uri) }}
        {%- endcall %}
    {%- endfor -%}
    {% call statement('drop_built') -%}
        drop table {{ built }}
    {%- endcall %}

    {%- if existing and not existing.is_view -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        create or replace view {{ view }} as (
            select * from {{ read_dated_files(model, files) }}
        )
    {%- endcall %}

    {%- do persist_docs(view, model) -%}
    {{- run_hooks(post_hooks) -}}
    {%- do adapter.commit() -%}

    {{- return({'relations': [view]}) -}}

{% endmaterialization %}
