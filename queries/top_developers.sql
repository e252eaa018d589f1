-- Who has cost most with Claude Code in the last days (--var days=30, --var top=10).
-- The cost is Claude Code's own estimate, not what is billed.
select
    actor_name as developer,
    (sum(estimated_cost_usd))::DECIMAL(18, 2) as estimated_usd,
    sum(num_sessions)::BIGINT as sessions,
    count(*) filter (where num_sessions > 0) as active_days,
    sum(output_tokens)::BIGINT as output_tokens
from {{ ref('claude_code_daily') }}
where day > {{ today | literal }}::DATE - {{ var('days', 30) | literal }}::INTEGER
group by actor_name
order by sum(estimated_cost_usd) desc, developer
limit {{ var('top', 10) | literal }}::INTEGER
