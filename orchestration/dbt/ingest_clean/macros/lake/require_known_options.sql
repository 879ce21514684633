{#- dbt passes every config to every materialization, so `location` or `format` would be ignored silently. This lists
    the configs that dbt itself uses. The materialization has none of its own. -#}
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
