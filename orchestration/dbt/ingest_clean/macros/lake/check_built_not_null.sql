{#- Before the files are written, of which there may be hundreds: the footer of each would have to be read. -#}
{% macro check_built_not_null(built, columns) %}
    {%- set counts = [] -%}
    {%- for column in columns -%}
        {%- do counts.append("count(*) - count(" ~ quoted(column) ~ ")") -%}
    {%- endfor -%}
    {%- set nulls = run_query("select " ~ counts | join(', ') ~ " from " ~ quoted(built.identifier)).rows[0] if columns -%}
    {%- for column in columns -%}
        {%- if nulls[loop.index0] -%}
            {{- exceptions.raise_compiler_error(
                "This model has an enforced contract that failed: " ~ nulls[loop.index0]
                ~ " nulls in the not_null column " ~ column
            ) -}}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
