select 1 as tokens
