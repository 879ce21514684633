{#- `elt` makes this check, and the plugin passes on its result. A second implementation could differ from it. -#}
{% macro require_sources() %}
    {%- if execute -%}
        {%- set problem = run_query("select getvariable('source_problem')").rows[0][0] -%}
        {%- if problem -%}
            {{- exceptions.raise_compiler_error(problem) -}}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
