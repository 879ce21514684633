{% materialization dated_lake_parquet, adapter='spark', supported_languages=['sql'] %}

    {%- do require_known_options(model) -%}
    {%- do require_dated(model) -%}
    {%- set files = dated_files() -%}
    {%- set name = this.identifier ~ '__built' -%}
    {%- set built = target.schema ~ '.' ~ name -%}

    {{- run_hooks(pre_hooks) -}}

    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}

    {%- do keep_rows(name, sql) -%}
    {%- do check_built(built, model) -%}
    {%- for file in files.written -%}
        {%- set rows = rows_of_file(built, model, file, files) ~ ' order by ' ~ in_order(model) -%}
        {%- do write_in_order(rows, dated_uri(model, file, files)) -%}
    {%- endfor -%}
    {%- do run_query('uncache table ' ~ built) -%}

    {%- do create_global_view(this.identifier, 'select * from ' ~ read_dated_files(model, files)) -%}

    {{- run_hooks(post_hooks) -}}

    {{- return({'relations': [this.incorporate(type='view')]}) -}}

{% endmaterialization %}
