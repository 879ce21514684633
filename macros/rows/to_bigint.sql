{% macro to_bigint(column) -%}
    {%- set grammar = '[+-]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)' -%}
    case
    {%- for text in (column, trimmed(column)) %}
        when {{ full_match(text, grammar) }}
            then try_cast(replace({{ text }}, ',', '') as bigint)
    {%- endfor %}
    end
{%- endmacro %}
