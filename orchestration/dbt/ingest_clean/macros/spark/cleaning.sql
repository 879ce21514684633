{#- On Spark too, DuckDB cleans the rows of each page, in the executors: see `orchestration.spark.pages`. So its SQL is
    that of DuckDB, and both engines read JSON, numbers and times alike. -#}
{% macro spark__add_missing_paths(places, is_record) %}
    {{- return(duckdb__add_missing_paths(places, is_record)) -}}
{% endmacro %}


{% macro spark__enveloped_records(pages, places, shape, path) %}
    {{- return(duckdb__enveloped_records(pages, places, shape, path)) -}}
{% endmacro %}


{% macro spark__from_epoch(column, unit) %}
    {{- return(duckdb__from_epoch(column, unit)) -}}
{% endmacro %}


{% macro spark__from_rfc_2822(column) %}
    {{- return(duckdb__from_rfc_2822(column)) -}}
{% endmacro %}


{% macro spark__headed_records(bodies, at) %}
    {{- return(duckdb__headed_records(bodies, at)) -}}
{% endmacro %}


{% macro spark__in_zone(local, zone, clock_change) %}
    {{- return(duckdb__in_zone(local, zone, clock_change)) -}}
{% endmacro %}


{% macro spark__inexact_columns(fields, key) %}
    {{- return(duckdb__inexact_columns(fields, key)) -}}
{% endmacro %}


{% macro spark__is_other_date(instant, zone) %}
    {{- return(duckdb__is_other_date(instant, zone)) -}}
{% endmacro %}


{% macro spark__is_outside_years(instant) %}
    {{- return(duckdb__is_outside_years(instant)) -}}
{% endmacro %}


{% macro spark__json_at(function, place, document) %}
    {{- return(duckdb__json_at(function, place, document)) -}}
{% endmacro %}


{% macro spark__list_positions(record) %}
    {{- return(duckdb__list_positions(record)) -}}
{% endmacro %}


{% macro spark__missing_fields(fields, is_record) %}
    {{- return(duckdb__missing_fields(fields, is_record)) -}}
{% endmacro %}


{% macro spark__page_key(uri) %}
    {{- return(duckdb__page_key(uri)) -}}
{% endmacro %}


{% macro spark__parse_fields(fields, structure) %}
    {{- return(duckdb__parse_fields(fields, structure)) -}}
{% endmacro %}


{% macro spark__raw_records(relation, declaration, records, shape) %}
    {{- return(duckdb__raw_records(relation, declaration, records, shape)) -}}
{% endmacro %}


{% macro spark__to_local(column, format, grammar) %}
    {{- return(duckdb__to_local(column, format, grammar)) -}}
{% endmacro %}


{% macro spark__to_timestamptz(column, local_is_utc) %}
    {{- return(duckdb__to_timestamptz(column, local_is_utc)) -}}
{% endmacro %}


{% macro spark__transposed_records(bodies, at) %}
    {{- return(duckdb__transposed_records(bodies, at)) -}}
{% endmacro %}


{% macro spark__trimmed(text) %}
    {{- return(duckdb__trimmed(text)) -}}
{% endmacro %}


{% macro spark__undeclared_fields(fields, is_record) %}
    {{- return(duckdb__undeclared_fields(fields, is_record)) -}}
{% endmacro %}


{#- Whether the model is one of those that DuckDB runs in the executors. -#}
{% macro is_cleaning() %}
    {{- return(model.name in env_var('ELT_CLEANING_MODELS', '').split()) -}}
{% endmacro %}
