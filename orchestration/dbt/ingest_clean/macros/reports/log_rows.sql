{#- The values are data, so what a terminal would take for a command is written as an escape. -#}
{% macro log_rows(query) %}
    {%- set found = run_query(query) -%}
    {%- for row in found.rows -%}
        {%- set shown = [] -%}
        {%- for name in found.column_names if name != '_remedy' -%}
            {%- set value = row[name] -%}
            {%- if value is string -%}
                {%- set value = tojson(value if value | length <= 300 else value[:300] ~ '…') -%}
            {%- endif -%}
            {%- do shown.append(name ~ "=" ~ value) -%}
        {%- endfor -%}
        {%- do log("  " ~ shown | join(', '), info=true) -%}
    {%- endfor -%}
{% endmacro %}
