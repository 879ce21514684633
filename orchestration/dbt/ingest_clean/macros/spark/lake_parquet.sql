{% materialization lake_parquet, adapter='spark', supported_languages=['sql'] %}

    {%- do require_known_options(model) -%}

    {{- run_hooks(pre_hooks) -}}

    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
    {#- A table of a date with many rows is in several files. -#}
    {%- set in_files = '{date}' in model.config.meta.key_on_lake -%}
    {%- set rows_per_file = (model.config.meta.rows_per_file or 10000000) if in_files else none -%}
    {%- set uris = write_in_order(sql, [lake_uri(model)], rows_per_file) -%}
    {%- do check_not_null(read_files(this.identifier, uris), not_null_columns(model)) -%}

    {{- run_hooks(post_hooks) -}}

    {{- return({'relations': [this.incorporate(type='view')]}) -}}

{% endmaterialization %}


{#- Writes the rows of a query in its order, and returns the URIs of the files: those of `uris`, or of one that is
    asked for several, if the rows are more than `rows_per_file`. A statement of `elt`: see `orchestration.spark.write`. -#}
{% macro write_in_order(query, uris, rows_per_file=none) %}
    {% call statement('main', fetch_result=true) -%}
        /* elt write: {{ tojson({'uris': uris, 'rows_per_file': rows_per_file}) }} */ {{ query }}
    {%- endcall %}
    {{- return(load_result('main')['table'].columns[0].values() | list) -}}
{% endmacro %}
