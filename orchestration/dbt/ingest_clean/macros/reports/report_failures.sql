{#- dbt reports of a failed test only how many rows it returned. On the targets of analysts, this logs the rows and what
    was rejected. `elt` makes its own report of a run. -#}
{% macro report_failures(results) %}
    {%- if execute and target.name in ['dev', 'sandbox'] -%}
        {%- set reported = [] -%}
        {%- for result in results if result.node.resource_type == 'test' and result.status == 'fail' -%}
            {%- do log(result.node.name ~ ": " ~ result.failures ~ " failing rows", info=true) -%}
            {%- do log_rows("select * from (" ~ result.node.compiled_code ~ ") as failing limit 5") -%}
            {%- set model = (result.node.attached_node or '').split('.') | last -%}
            {%- set table = model.removesuffix('_accounting') -%}
            {%- if table not in reported -%}
                {%- do reported.append(table) -%}
                {%- do report_rejects(table) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
