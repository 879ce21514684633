{% macro check_key(table) %}
    {%- set meta = source_meta(table.source) -%}
    {%- if meta -%}
        {%- set declared = [] -%}
        {%- for field in meta.key -%}
            {%- do declared.append(snake_case(field)) -%}
        {%- endfor -%}
        {%- if declared != table.key -%}
            {{- exceptions.raise_compiler_error(
                "the key of " ~ table.source ~ " is " ~ declared ~ " by its YAML, and " ~ table.key ~ " by its table macro"
            ) -}}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
