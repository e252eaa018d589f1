{#
    Names for the ids in reports, one for each id, so that a join by connection and id never
    doubles a figure.

    `members`  a model of names, say `ref('api_keys')`
    `id`       its column with the id, say 'api_key_id'
#}
{% macro names_of(members, id) -%}
    (select connection, {{ id }}, max(name) as name from {{ members }} group by connection, {{ id }})
{%- endmacro %}

{# What a workspace is called; the default one is called so also where the list has not landed. #}
{% macro workspace_name(workspaces, workspace_id) -%}
    coalesce({{ workspaces }}.name, case when {{ workspace_id }} = 'default' then 'Default' end)
{%- endmacro %}

{#
    A dimension of the extract that a bucket comes from: NULL where the extract is not grouped by
    it, and `missing` where the report has null in it.
#}
{% macro named_dimension(results, dimension, missing) -%}
    case
        when list_contains({{ results }}.group_by, {{ dimension | literal }})
            then coalesce({{ results }}.{{ dimension }}, {{ missing | literal }})
    end
{%- endmacro %}
