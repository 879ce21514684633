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
    {%- if files.written -%}
        {%- set uris = [] -%}
        {%- for file in files.written -%}
            {%- do uris.append(dated_uri(model, file, files)) -%}
        {%- endfor -%}
        {%- do write_in_order(rows_of_files(built, model, files) ~ ' order by ' ~ in_order(model), uris) -%}
    {%- endif -%}
    {%- do run_query('uncache table ' ~ built) -%}

    {%- do create_global_view(this.identifier, 'select * from ' ~ read_dated_files(model, files)) -%}

    {{- run_hooks(post_hooks) -}}

    {{- return({'relations': [this.incorporate(type='view')]}) -}}

{% endmaterialization %}


{#- The rows of all files that are written, as `rows_of_file` has them, each with the index of its file. One statement
    writes them: each one starts processes of Python, which take longer than the rows of a month. -#}
{% macro rows_of_files(built, model, files) -%}
    {%- set former = [] -%}
    {%- for file in files.written -%}
        {%- for name in former_files(files, file) if name not in former -%}
            {%- do former.append(name) -%}
        {%- endfor -%}
    {%- endfor -%}
    select * from (
        select
            *,
            case
                {%- for file in files.written %}
                when {{ is_in_file(file) }} then {{ loop.index0 }}
                {%- endfor %}
            end as _elt_file
        from {{ built_and_former(built, model, files, former) }}
    ) as of_files
    where _elt_file is not null
{%- endmacro %}
