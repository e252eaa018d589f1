-- The buckets of the cost report that have landed, also the empty ones.

{{ landed_buckets(source('claude_platform', 'cost_report')) }}
