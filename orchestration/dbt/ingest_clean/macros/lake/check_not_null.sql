{% macro check_not_null(written, columns) %}
    {{- return(adapter.dispatch('check_not_null')(written, columns)) -}}
{% endmacro %}


{#- The footer of the file contains the counts, so no row is read again. -#}
{% macro duckdb__check_not_null(written, columns) %}
    {%- set nulls = run_query(
        "select path_in_schema, sum(stats_null_count) as nulls from parquet_metadata(" ~ literal(written) ~ ")"
        ~ " group by 1 having sum(stats_null_count) > 0 order by 1"
    ) -%}
    {%- for row in nulls.rows if row[0] in columns -%}
        {{- exceptions.raise_compiler_error(
            "This model has an enforced contract that failed: " ~ row[1] ~ " nulls in the not_null column " ~ row[0]
        ) -}}
    {%- endfor -%}
{% endmacro %}


{% macro spark__check_not_null(written, columns) %}
    {%- if columns -%}
        {%- set counts = [] -%}
        {%- for column in columns -%}
            {%- do counts.append("count_if(" ~ quoted(column) ~ " is null) as " ~ quoted(column)) -%}
        {%- endfor -%}
        {%- set nulls = run_query("select " ~ counts | join(', ') ~ " from " ~ written).rows[0] -%}
        {%- for column in columns if nulls[column] -%}
            {{- exceptions.raise_compiler_error(
                "This model has an enforced contract that failed: " ~ nulls[column] ~ " nulls in the not_null column " ~ column
            ) -}}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
