-- What each developer did with Claude Code in the last days (--var days=30).
-- "accepted" is the share, in percent, of the edits that were proposed.
with
sums as (
    select
        actor_name as developer,
        sum(num_sessions)::BIGINT as sessions,
        sum(lines_added)::BIGINT as lines_added,
        sum(lines_removed)::BIGINT as lines_removed,
        sum(commits)::BIGINT as commits,
        sum(pull_requests)::BIGINT as pull_requests,
        sum(tool_actions_accepted)::BIGINT as yes,
        sum(tool_actions_accepted + tool_actions_rejected)::BIGINT as proposed
    from {{ ref('claude_code_daily') }}
    where day > {{ today | literal }}::DATE - {{ var('days', 30) | literal }}::INTEGER
    group by all
)

select
    * exclude (yes, proposed),
    {{ ratio('yes * 100', 'proposed') }}::DECIMAL(9, 1) as accepted
from sums
order by lines_added desc, developer
