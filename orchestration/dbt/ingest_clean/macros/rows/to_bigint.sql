{% macro to_bigint(column, decimal='point') -%}
    {%- set comma, thousands = ('.', '[.]') if decimal == 'comma' else (',', ',') -%}
    {%- set grammar = '[+-]?([0-9]+|[1-9][0-9]{0,2}(' ~ thousands ~ '[0-9]{3})+)' -%}
    case
    {%- for text in (column, trimmed(column)) %}
        when {{ full_match(text, grammar) }}
            then try_cast(replace({{ text }}, '{{ comma }}', '') as bigint)
    {%- endfor %}
    end
{%- endmacro %}
