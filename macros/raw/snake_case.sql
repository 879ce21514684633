{#- `Event ID` and `eventId` are both event_id: words are split at every character that is no letter or digit, and where a
    small letter or a digit meets a capital one. -#}
{% macro snake_case(name) %}
    {%- set spaced = modules.re.sub('([a-z0-9])([A-Z])', '\\1 \\2', name) -%}
    {%- set spaced = modules.re.sub('([A-Z]+)([A-Z][a-z])', '\\1 \\2', spaced) -%}
    {{- return(modules.re.sub('[^A-Za-z0-9]+', '_', spaced).strip('_') | lower) -}}
{% endmacro %}
