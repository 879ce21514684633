{#- The check is `elt`'s own, which has the plugin tell what it found: a second one would differ from it one day. -#}
{% macro require_sources() %}
    {%- if execute -%}
        {%- set problem = run_query("select getvariable('source_problem')").rows[0][0] -%}
        {%- if problem -%}
            {{- exceptions.raise_compiler_error(problem) -}}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
