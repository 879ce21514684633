{% macro from_rfc_2822(column) %}
    {{- return(adapter.dispatch('from_rfc_2822')(column)) -}}
{% endmacro %}


{#- The engine's parser ignores a weekday that is not the date's. -#}
{% macro duckdb__from_rfc_2822(column) -%}
    case
                when substr({{ column }}, 4, 1) <> ',' or starts_with({{ column }}, strftime(
                    try_strptime(regexp_extract({{ column }}, '[0-9]+ [A-Z][a-z]+ [0-9]{4}'), '%d %b %Y'), '%a'
                ))
                    then try_strptime(
                        regexp_replace(regexp_replace({{ column }}, '^[A-Z][a-z]+, ', ''), '[A-Z]+$', '+0000'),
                        ['%d %b %Y %H:%M:%S %z', '%d %b %Y %H:%M %z']
                    )
            end
{%- endmacro %}
