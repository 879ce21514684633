{#- The characters that `blank` and `trimmed` know too. -#}
{% macro has_white_space(text) -%}
    regexp_matches({{ text }}, '[\x09-\x0D \x{A0}]')
{%- endmacro %}


{% macro without_white_space(text) -%}
    regexp_replace({{ text }}, '[\x09-\x0D \x{A0}]', '', 'g')
{%- endmacro %}
