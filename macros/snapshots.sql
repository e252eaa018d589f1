{#
    All that a list ever had: what it has now, and what it no longer has as it was last seen.

    `members`  the stream's table, say `source('claude_platform', 'users')`
    `stream`   its name, say 'users'

    Gives connection, starting_at, payload and vanished_at: when it was last seen, and when it was
    first missing (NULL while it is there).
#}

{% macro members_ever(members, stream) -%}
    select connection, starting_at, payload, NULL::TIMESTAMP as vanished_at
    from {{ members }}

    union all

    select connection, last_seen_at as starting_at, payload, vanished_at
    from lading.vanished
    where stream = {{ stream | literal }}
{%- endmacro %}
