{% macro local_grammar(seconds=false) -%}
    [0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]{{ ':[0-5][0-9]([.][0-9]{1,9})?' if seconds }}
{%- endmacro %}
