{#- Rows have to be found by their date, and files must not depend on the order in which rows were built. -#}
{% macro require_dated(model) %}
    {%- set problem = [] -%}
    {%- if not model.config.meta.key_on_lake.endswith('/{file}.parquet') -%}
        {%- do problem.append("meta.key_on_lake needs {file} as the name of the file, such as marts/{name}/{file}.parquet") -%}
    {%- endif -%}
    {%- if (model.columns.get('execution_date', {}).get('data_type') or '') | lower != 'date' -%}
        {%- do problem.append("it needs a column execution_date with data_type: date") -%}
    {%- endif -%}
    {%- set order = model.config.meta.order_by or [''] -%}
    {%- if order is string or order[0] != 'execution_date' or order | reject('in', model.columns) | list -%}
        {%- do problem.append("meta.order_by needs the columns that its rows are ordered by, execution_date first") -%}
    {%- endif -%}
    {%- if problem -%}
        {{- exceptions.raise_compiler_error(
            model.original_file_path ~ ": dated_lake_parquet " ~ model.name ~ ": " ~ problem | join('; ')
        ) -}}
    {%- endif -%}
{% endmacro %}
