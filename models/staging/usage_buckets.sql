-- The buckets of the usage report that have landed, also the empty ones.

{{ landed_buckets(source('claude_platform', 'usage_messages')) }}
