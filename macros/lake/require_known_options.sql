{#- dbt gives every config to every materialization, and one that ignores `location` or `format` looks as if it obeyed. What
    dbt itself acts on is named here; the materialization adds nothing of its own. -#}
{% macro require_known_options(model) %}
    {%- set allowed = [
        'access', 'alias', 'contract', 'database', 'docs', 'enabled', 'group', 'materialized', 'meta', 'persist_docs',
        'post-hook', 'post_hook', 'pre-hook', 'pre_hook', 'schema', 'tags'
    ] -%}
    {%- for option in model.unrendered_config if option not in allowed -%}
        {{- exceptions.raise_compiler_error(
            model.original_file_path ~ ": model " ~ model.name ~ ": lake_parquet does not know the option '" ~ option
            ~ "'; it writes Parquet where meta.key_on_lake says, and takes only " ~ allowed | join(', ')
        ) -}}
    {%- endfor -%}
{% endmacro %}
