{#- The text of a JSON number with a point or an exponent is the engine's, not the source's: 17850.0 and 17850 may be
    the same number, and 1e400 and NaN are not finite. The text is tested first, by its first character and then by a
    pattern, because finding its JSON type reads the record again. -#}
{% macro inexact_columns(fields, key) %}
    {{- return(adapter.dispatch('inexact_columns')(fields, key)) -}}
{% endmacro %}


{% macro duckdb__inexact_columns(fields, key) -%}
    {%- set number = '-?([0-9]+[.][0-9]+([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)|0' -%}
    {%- set begins = "({text} < ':' or {text} between 'I' and 'O' or {text} between 'i' and 'o')" -%}
    {%- set suspects = [] -%}
    {%- set found = [] -%}
    {%- for column, field in fields.items() -%}
        {%- set text = quoted(column) -%}
        {%- set suspect = "(" ~ begins.replace('{text}', text) ~ " and " ~ full_match(text, number) ~ ")" -%}
        {%- set type = json_at('json_type', field) -%}
        {#- An integer keeps all digits, except for the sign of -0. -#}
        {%- set inexact = type ~ " = case when " ~ text ~ " = '0' then 'BIGINT' else 'DOUBLE' end" -%}
        {%- if column in key -%}
            {%- set nested = "(" ~ text ~ " between '[' and '\\' or " ~ text ~ " between '{' and '|')" -%}
            {%- set suspect = suspect ~ " or " ~ nested -%}
            {%- set inexact = inexact ~ " or (" ~ nested ~ " and " ~ type ~ " <> 'VARCHAR' and "
                ~ nested_number(text) ~ ")" -%}
        {%- endif -%}
        {%- do suspects.append(suspect) -%}
        {%- do found.append("case when (" ~ suspect ~ ") and (" ~ inexact ~ ") then '" ~ column ~ "' end") -%}
    {%- endfor -%}
    {%- if found -%}
        case
            when {{ suspects | join('\n                or ') }}
                then list_sort(list_distinct([
                    {{ found | join(',\n                    ') }}
                ]))
        end
    {%- else -%}
        cast(null as varchar[])
    {%- endif -%}
{%- endmacro %}


{% macro json_pointer(field) -%}
    {{ literal('/' ~ field | replace('~', '~0') | replace('/', '~1')) }}
{%- endmacro %}


{#- A number with a point or an exponent, NaN or Infinity in nested JSON, outside its strings. -#}
{% macro nested_number(text) -%}
    regexp_matches(
        regexp_replace({{ text }}, '"([^"\\]|\\.)*"', '', 'g'),
        '[0-9][.eE]|[nN][aA][nN]|[iI][nN][fF]'
    )
{%- endmacro %}
