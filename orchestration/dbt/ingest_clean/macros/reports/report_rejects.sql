{#- Logs the most frequent reject reasons of a table, each with an example: the column's raw value, and the record around
    it. A model that is no table of a source has none. -#}
{% macro report_rejects(table) %}
    {%- set prefix = 'model.' ~ project_name ~ '.' -%}
    {%- set checked = graph.nodes.get(prefix ~ table ~ '_checked') -%}
    {%- set rejected = graph.nodes.get(prefix ~ table ~ '_rejected') -%}
    {%- if checked and rejected and adapter.get_relation(rejected.database, rejected.schema, rejected.alias) -%}
        {%- set staging = graph.nodes[checked.depends_on.nodes[0]].relation_name -%}
        {%- set reasons = run_query(
            "select reason, count(*) as n from " ~ rejected.relation_name ~ " group by reason order by n desc, reason limit 5"
        ) -%}
        {%- for reason, count in reasons.rows -%}
            {%- do log(table ~ " rejected for " ~ reason ~ ": " ~ count ~ " rows", info=true) -%}
            {%- set about = [] -%}
            {%- for column in graph.nodes[prefix ~ table].columns if reason.startswith(column ~ '_') -%}
                {%- do about.append(column) -%}
            {%- endfor -%}
            {#- `depth` and `depth_text` both begin `depth_text_not_exact`. -#}
            {%- set longest = namespace(column='') -%}
            {%- for column in about if column | length > longest.column | length -%}
                {%- set longest.column = column -%}
            {%- endfor -%}
            {%- set value = 'raw.' ~ quoted(longest.column) if about else "''" -%}
            {#- JSON may write the other characters as escapes. -#}
            {%- set plain = "coalesce(regexp_extract(" ~ value ~ ", '^[ !#-\\[\\]-~]+'), '')" -%}
            {%- do log_rows(
                "select rejected.page, "
                ~ ("substr(" ~ value ~ ", 1, 300) as value, " if about else "")
                ~ "substr(rejected.record, greatest(1, instr(rejected.record, " ~ plain ~ ") - 100), 300) as record"
                ~ " from " ~ rejected.relation_name ~ " as rejected inner join " ~ staging ~ " as raw"
                ~ " on rejected.page = raw._page and rejected.record = cast(raw._record as " ~ dbt.type_string() ~ ")"
                ~ " where rejected.reason = " ~ literal(reason) ~ " order by rejected.page, rejected.record limit 1"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
