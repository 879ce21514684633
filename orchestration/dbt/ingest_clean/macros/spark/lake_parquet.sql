{#- As with DuckDB, with a folder for each model in the place of a file: `elt` moves its files to their keys afterwards. -#}
{% materialization lake_parquet, adapter='spark', supported_languages=['sql'] %}

    {%- do require_known_options(model) -%}
    {%- set uri = lake_uri(model) -%}

    {{- run_hooks(pre_hooks) -}}

    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
    {%- do write_in_order(sql, model, uri) -%}
    {%- do check_not_null(uri, not_null_columns(model)) -%}

    {%- set columns = quoted_list(model.columns) if model.columns else '*' -%}
    {%- do create_global_view(this.identifier, "select " ~ columns ~ " from " ~ read_parquet_file(uri)) -%}

    {{- run_hooks(post_hooks) -}}

    {{- return({'relations': [this.incorporate(type='view')]}) -}}

{% endmaterialization %}


{#- Writes the rows of a query in its order. A file of a date has at most `meta.rows_per_file` rows; a mart has one file.
    The rows are numbered and kept first: tasks of Spark write files of their own, so that each task has to know the file
    of its rows. -#}
{% macro write_in_order(query, model, uri) %}
    {%- set rows_per_file = model.config.meta.rows_per_file or 10000000 -%}
    {%- set numbered = this.identifier ~ '__numbered' -%}
    {%- set kept = target.schema ~ '.' ~ numbered -%}
    {%- do keep_rows(numbered, "select *, monotonically_increasing_id() as _number from (" ~ query ~ ")") -%}
    {#- The upper bits of a number are the part of the ordered rows, the lower 33 bits are counted in it. -#}
    {%- set parts = run_query(
        "select shiftright(_number, 33) as _part, count(*) as _rows from " ~ kept ~ " group by _part order by _part"
    ).rows -%}
    {%- set found = namespace(before=0) -%}
    {%- set cases = [] -%}
    {%- for part, rows in parts -%}
        {%- do cases.append("when " ~ part ~ " then " ~ found.before) -%}
        {%- set found.before = found.before + rows -%}
    {%- endfor -%}
    {%- if '{date}' not in model.config.meta.key_on_lake or found.before <= rows_per_file -%}
        {%- do write_folder("select * from " ~ kept, '_number', uri, without='_number') -%}
    {%- else -%}
        {%- set position = "case shiftright(_number, 33) " ~ cases | join(' ') ~ " end + (_number & 8589934591)" -%}
        {%- do run_query("drop table if exists default." ~ numbered) -%}
        {% call statement('write') -%}
            create table default.{{ numbered }} using parquet partitioned by (_file) location '{{ uri }}' as
            select * except (_number) from (
                select
                    *,
                    lpad(cast(({{ position }}) div {{ rows_per_file }} as string), 10, '0') as _file
                from {{ kept }}
                distribute by _file
                sort by _file, _number
            )
        {%- endcall %}
        {%- do run_query("drop table default." ~ numbered) -%}
    {%- endif -%}
    {%- do run_query('uncache table ' ~ kept) -%}
{% endmacro %}


{#- Writes rows to one file in a folder. -#}
{% macro write_folder(query, order, uri, without=none) %}
    {% call statement('write') -%}
        {%- set ordered -%}
            select /*+ repartition(1) */ *{{ ' except (' ~ without ~ ')' if without }} from (
                {{ query }}
            )
            sort by {{ order }}
        {%- endset -%}
        {{ write_parquet(ordered, uri) }}
    {%- endcall %}
{% endmacro %}
