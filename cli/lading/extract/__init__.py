"""From reports to raw tables: the plan, the requests, the landing."""
