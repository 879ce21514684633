{#- Thousands commas are those before groups of three digits: in `12,50` the comma is no such thing. Adding zero makes 0.0 of
    -0.0: the two are equal, so which of them stays would be chance. -#}
{% macro to_double(column) -%}
    {%- set grammar = '[+-]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)([.][0-9]+)?(e[+-]?[0-9]+)?' -%}
    case
    {#- Trimming costs more than the rest together, so only what needs it is trimmed. #}
    {%- for text in (column, trimmed(column)) %}
        when {{ full_match(text, grammar) }}
            then cast(replace({{ text }}, ',', '') as double) + cast(0 as double)
    {%- endfor %}
    end
{%- endmacro %}
