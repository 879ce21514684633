{% macro differences(found, expected, columns) %}
    {%- set columns = quoted_list(columns) -%}
    with

    unexpected as (

        select {{ columns }} from {{ found }}
        except all
        select {{ columns }} from {{ expected }}

    ),

    missed as (

        select {{ columns }} from {{ expected }}
        except all
        select {{ columns }} from {{ found }}

    )

    select
        'unexpected' as problem,
        {{ columns }}
    from unexpected
    union all
    select
        'missed' as problem,
        {{ columns }}
    from missed
{% endmacro %}
