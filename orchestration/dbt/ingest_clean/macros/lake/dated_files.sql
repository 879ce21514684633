{% macro dated_files() %}
    {{- return(adapter.dispatch('dated_files')()) -}}
{% endmacro %}


{#- Read from the cursor's variables at run time, like `lake_uri`. dbt gives a list as JSON. -#}
{% macro duckdb__dated_files() %}
    {%- set found = run_query(
        "select getvariable('dated_files'), getvariable('written_files'), getvariable('former_files'),"
        ~ " getvariable('former_root')"
    ).rows[0] -%}
    {{- return({
        'names': fromjson(found[0]),
        'written': fromjson(found[1]),
        'former': fromjson(found[2]),
        'former_root': found[3]
    }) -}}
{% endmacro %}


{#- Where a file is after the build. One that is kept is read at the commit that has it: lakeFS takes several times as
    long for a branch. -#}
{% macro dated_uri(model, file, files) %}
    {{- return((lake_uri(model) if file in files.written else former_uri(model, files)).replace('{file}', file)) -}}
{% endmacro %}


{#- The former files that a file may share rows with. A month has the rows of its dates, so one name begins with the
    other then. -#}
{% macro former_files(files, file='') %}
    {%- set names = [] -%}
    {%- for former in files.former if former.startswith(file) or file.startswith(former) -%}
        {%- do names.append(former) -%}
    {%- endfor -%}
    {{- return(names) -}}
{% endmacro %}


{% macro former_uri(model, files) %}
    {{- return(files.former_root ~ '/' ~ model.config.meta.key_on_lake.replace('{name}', model.alias)) -}}
{% endmacro %}


{% macro spark__dated_files() %}
    {{- return({
        'names': lake_variable('dated_files'),
        'written': lake_variable('written_files'),
        'former': lake_variable('former_files'),
        'former_root': lake_variable('former_root')
    }) -}}
{% endmacro %}
