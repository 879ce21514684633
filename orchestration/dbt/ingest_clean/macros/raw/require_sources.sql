{#- `elt` makes this check, and the plugin passes on its result. A second implementation could differ from it. -#}
{% macro require_sources() %}
    {%- if execute -%}
        {%- set problem = lake_variable('source_problem') -%}
        {%- if problem -%}
            {{- exceptions.raise_compiler_error(problem) -}}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
