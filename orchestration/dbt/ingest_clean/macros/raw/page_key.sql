{#- The root is removed: it contains a commit id, which must not be part of an object. -#}
{% macro page_key(uri) %}
    {{- return(adapter.dispatch('page_key')(uri)) -}}
{% endmacro %}


{% macro duckdb__page_key(uri) -%}
    substr({{ uri }}, length(getvariable('raw_root')) + 2)
{%- endmacro %}
