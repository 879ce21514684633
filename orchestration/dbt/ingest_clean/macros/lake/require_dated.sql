{#- Rows have to be found by their date, and files must not depend on the order in which rows were built. -#}
{% macro require_dated(model) %}
    {%- set problem = [] -%}
    {%- if "{file}" not in model.config.meta.key_on_lake -%}
        {%- do problem.append("meta.key_on_lake needs {file}, such as marts/{name}/{file}.parquet") -%}
    {%- endif -%}
    {%- if 'execution_date' not in model.columns -%}
        {%- do problem.append("it needs a column execution_date, of type date") -%}
    {%- endif -%}
    {%- if (model.config.meta.order_by or [''])[0] != 'execution_date' -%}
        {%- do problem.append("meta.order_by needs the columns that its rows are ordered by, execution_date first") -%}
    {%- endif -%}
    {%- if problem -%}
        {{- exceptions.raise_compiler_error(
            model.original_file_path ~ ": dated_lake_parquet " ~ model.name ~ ": " ~ problem | join('; ')
        ) -}}
    {%- endif -%}
{% endmacro %}
