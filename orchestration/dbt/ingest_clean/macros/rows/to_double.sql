{#- A thousands comma precedes a group of three digits, so `12,50` has none. Adding zero turns -0.0 into 0.0: the two
    are equal, and otherwise chance would decide which of them is kept. With a decimal comma, comma and point change
    places. -#}
{% macro to_double(column, decimal='point') -%}
    {%- set thousands, point = ('[.]', ',') if decimal == 'comma' else (',', '[.]') -%}
    {%- set grammar = '[+-]?([0-9]+|[1-9][0-9]{0,2}(' ~ thousands ~ '[0-9]{3})+)(' ~ point ~ '[0-9]+)?(e[+-]?[0-9]+)?' -%}
    case
    {#- Trimming costs more than everything else, so only values that need it are trimmed. #}
    {%- for text in (column, trimmed(column)) %}
        when {{ full_match(text, grammar) }}
            then cast({{ "replace(replace(" ~ text ~ ", '.', ''), ',', '.')" if decimal == 'comma' else "replace(" ~ text ~ ", ',', '')" }} as double) + cast(0 as double)
    {%- endfor %}
    end
{%- endmacro %}
