{#
    Typed values out of decoded JSON.

    A staging model decodes a payload with a declared struct whose leaves are JSON; these macros
    turn a leaf into a column. A leaf of another type stops the build with a message that names the
    field, the connection, the period and the record, so that no figure becomes NULL or is rounded
    unseen. The
    value must be there and not be null, except for the `_or_null` forms.

    `json` is a path of such a struct, say `result.server_tool_use.web_search_requests`. The columns
    `connection` and `starting_at` have to be in scope.
#}

{% macro json_integer(json) -%}
    coalesce(
        case
            when json_type({{ json }}) in ('UBIGINT', 'BIGINT')
                then try_cast({{ json }}::VARCHAR as BIGINT)
        end,
        {{ wrong_json(json, 'a whole number of 64 bits') }}
    )
{%- endmacro %}

{% macro json_integer_or_null(json) -%}
    case when {{ json }} is not null then {{ json_integer(json) }} end
{%- endmacro %}

{% macro json_text(json) -%}
    coalesce(
        case when json_type({{ json }}) = 'VARCHAR' then {{ json }} ->> '$' end,
        {{ wrong_json(json, 'text') }}
    )
{%- endmacro %}

{% macro json_text_or_null(json) -%}
    case when {{ json }} is not null then {{ json_text(json) }} end
{%- endmacro %}

{% macro json_boolean_or_null(json) -%}
    case
        when json_type({{ json }}) = 'BOOLEAN' then {{ json }}::BOOLEAN
        when {{ json }} is not null then {{ wrong_json(json, 'true or false') }}
    end
{%- endmacro %}

{# The UTC day of text such as 2026-11-18 or 2026-11-18T00:00:00Z. #}
{% macro json_day(json) -%}
    coalesce(
        case
            when json_type({{ json }}) = 'VARCHAR'
                then try_cast(left({{ json }} ->> '$', 10) as DATE)
        end,
        {{ wrong_json(json, 'a date') }}
    )
{%- endmacro %}

{# A moment in UTC, such as 2026-11-18T00:00:00Z. One with another offset would be taken wrongly. #}
{% macro json_moment_or_null(json) -%}
    case
        when {{ json }} is null then NULL
        else coalesce(
            case
                when json_type({{ json }}) = 'VARCHAR'
                    and regexp_matches({{ json }} ->> '$', '(Z|[+]00:00)$')
                    then try_cast({{ json }} ->> '$' as TIMESTAMP)
            end,
            {{ wrong_json(json, 'a moment in UTC') }}
        )
    end
{%- endmacro %}

{# An amount that the API writes as text. One with more decimals would be rounded. #}
{% macro json_amount(json) -%}
    coalesce(
        case
            when json_type({{ json }}) = 'VARCHAR'
                and regexp_full_match({{ json }} ->> '$', '-?[0-9]{1,21}([.][0-9]{1,15}0*)?')
                then ({{ json }} ->> '$')::DECIMAL(36, 15)
        end,
        {{ wrong_json(json, 'text of a number with at most 15 decimals') }}
    )
{%- endmacro %}

{#
    An amount that the API writes as a number, which only decoding as a DECIMAL keeps exact. What
    was missing or does not fit is NULL once it is decoded.
#}
{% macro exact_amount(amount) -%}
    coalesce({{ amount }}, {{ wrong_json('NULL', 'a number below 1e13', field=amount) }})
{%- endmacro %}

{# A list. What was no list in the JSON is NULL once it is decoded. #}
{% macro json_list(json) -%}
    coalesce({{ json }}, {{ wrong_json('NULL', 'a list', field=json) }})
{%- endmacro %}

{# `record` is the column that is shown beside it; the one that the path begins with, if left out. #}
{% macro wrong_json(json, expected, field=none, record=none) -%}
    {%- set shown = record or (json if '.' in json else field).split('.')[0] -%}
    error(format(
        '{}: expected {}, found {} ({}, {} UTC) in {}',
        {{ (field or json) | literal }},
        {{ expected | literal }},
        coalesce(left({{ json }}::VARCHAR, 80), 'nothing of the kind'),
        connection,
        starting_at,
        coalesce(left(to_json({{ shown }})::VARCHAR, 2000), 'nothing')
    ))
{%- endmacro %}
