{#- A double rounded to digits after the point, halves away from zero. -#}
{% macro rounded(expression, digits) %}
    {{- return(adapter.dispatch('rounded')(expression, digits)) -}}
{% endmacro %}


{% macro duckdb__rounded(expression, digits) -%}
    round({{ expression }}, {{ digits }})
{%- endmacro %}


{#- Spark's own `round` rounds the decimal digits that are shown, DuckDB's the binary value times a power of ten. -#}
{% macro spark__rounded(expression, digits) -%}
    {%- set shifted = "abs(number) * 1e" ~ digits -%}
    element_at(
        transform(
            array({{ expression }}),
            number -> case
                when number = 0 or {{ shifted }} >= double('infinity') then number
                else sign(number) * round({{ shifted }}) / 1e{{ digits }}
            end
        ),
        1
    )
{%- endmacro %}
