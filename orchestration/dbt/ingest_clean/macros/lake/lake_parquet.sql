{#- dbt-duckdb's `external` writes a row of nulls for an empty result and copies every result to a table first. -#}
{% materialization lake_parquet, adapter='duckdb', supported_languages=['sql'] %}

    {%- do require_known_options(model) -%}
    {%- if flags.EMPTY and target.name != 'dev' -%}
        {{- exceptions.raise_compiler_error("--empty would write empty files over the lake's: use it with target dev") -}}
    {%- endif -%}

    {%- set view = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set own_uri = lake_uri(model) -%}
    {%- set numbered = numbered_files(model, own_uri) -%}
    {%- set uri = numbered[0] if numbered else own_uri -%}

    {{- run_hooks(pre_hooks) -}}

    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}

    {#- The plugin creates the folder of a local lake. -#}
    {%- do adapter.store_relation('lake', view, [], uri, 'parquet', config) -%}
    {% call statement('write') -%}
        {{ write_parquet(sql, uri) }}
    {%- endcall %}
    {#- What reads the date reads all its files. -#}
    {%- for other in numbered[1:] -%}
        {% call statement('write_' ~ loop.index) -%}
            {{ write_parquet('from ' ~ read_parquet_file(uri) ~ ' limit 0', other) }}
        {%- endcall %}
    {%- endfor -%}
    {%- do check_not_null(uri, not_null_columns(model)) -%}

    {%- if existing and not existing.is_view -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        create or replace view {{ view }} as (
            select * from {{ read_parquet_file(uri) }}
        )
    {%- endcall %}

    {%- do persist_docs(view, model) -%}
    {{- run_hooks(post_hooks) -}}
    {%- do adapter.commit() -%}

    {{- return({'relations': [view]}) -}}

{% endmaterialization %}
