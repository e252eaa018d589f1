"""Reports as a test writes them down, and those of the invented organisation, day by day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from lading.sandbox.organisation import Organisation
from lading.sandbox.reports import cost_results, usage_results

Json = dict[str, Any]

ORGANISATION = Organisation()
TERMS = ("context_window", "inference_geo", "model", "service_tier", "workspace_id")
LINE = (
    *("context_window", "cost_type", "description", "inference_geo"),
    *("model", "service_tier", "token_type", "workspace_id"),
)


def bucket(start: str, *results: Json, hours: float = 24) -> Json:
    """A bucket; `start` in UTC, such as 2026-11-16 or 2026-11-16T05:00."""
    starting = datetime.fromisoformat(start)
    ending = starting + timedelta(hours=hours)
    return {
        "starting_at": f"{starting.isoformat()}Z",
        "ending_at": f"{ending.isoformat()}Z",
        "results": list(results),
    }


def used(uncached: int = 0, output: int = 0, **more: Any) -> Json:
    """A result of the usage report: some counters, the others 0, and dimensions."""
    counters = ("written_5m", "written_1h", "read", "searches")
    written_5m, written_1h, read, searches = (more.pop(name, 0) for name in counters)
    return {
        "uncached_input_tokens": uncached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written_5m,
            "ephemeral_1h_input_tokens": written_1h,
        },
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": searches},
        **more,
    }


def cents(amount: str, currency: str = "USD", **more: Any) -> Json:
    """A result of the cost report."""
    return {"amount": amount, "currency": currency, **more}


def tokens_cost(amount: str, description: str = "d", **more: Any) -> Json:
    """A line of the cost report for output tokens of model m, unless `more` says otherwise."""
    line: Json = {"cost_type": "tokens", "token_type": "output_tokens", "model": "m", **more}
    return cents(amount, description=description, **line)


def usage_of(days: Iterable[date], *group_by: str) -> list[Json]:
    """The organisation's usage report of whole days."""
    return [
        bucket(f"{day}", *usage_results(ORGANISATION.usage_events(day), group_by, group_by))
        for day in days
    ]


def cost_of(days: Iterable[date]) -> list[Json]:
    """The organisation's cost report by workspace and description."""
    return [bucket(f"{day}", *cost_results(ORGANISATION.cost_lines(day), LINE)) for day in days]
