{#- The only macro that quotes a name. dbt's `adapter.quote` does not double a quote inside the name. -#}
{% macro quoted(name) -%}
    "{{ name | replace('"', '""') }}"
{%- endmacro %}


{% macro quoted_list(names, separator=', ') -%}
    {%- for name in names -%}
        {{ quoted(name) }}{{ separator if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
