"""The pages of the Anthropic reports, added up from what a synthetic organisation did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from operator import add, attrgetter
from typing import Any

from lading.sandbox.organisation import CostLine, Organisation, UsageEvent
from lading.sandbox.queries import (
    USAGE_GROUPS,
    BucketQuery,
    CodeQuery,
    as_rfc3339,
    write_cursor,
)

_COUNTERS = attrgetter(
    "uncached_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
    "research_preview_requests",
)
_USAGE_KEYS = tuple(name for name in USAGE_GROUPS if name != "speed")
_COST_KEYS = (
    *("context_window", "cost_type", "description", "inference_geo"),
    *("model", "service_tier", "token_type", "workspace_id"),
)
_DESCRIBED = tuple(name for name in _COST_KEYS if name != "workspace_id")


@dataclass(frozen=True, slots=True)
class Page:
    """`this` is the cursor of the page itself, `next` that of the following one, if any.

    rows  result rows in a page of buckets, records in a page of records
    """

    data: list[dict[str, Any]]
    rows: int
    this: str
    next: str | None


def usage_page(
    organisation: Organisation, query: BucketQuery, now: datetime, with_speed: bool
) -> Page:
    """Buckets up to the one that `now` is in, which holds what has happened so far.

    `with_speed`: rows carry the key `speed` (null unless grouped by it).
    """
    starts = _starts(query, now)
    events = _events_by_bucket(organisation, query, starts, now)
    keys = (*_USAGE_KEYS, "speed") if with_speed else _USAGE_KEYS
    results = [usage_results(events.get(start, ()), query.group_by, keys) for start in starts]
    return _bucket_page(query, starts, results, now)


def cost_page(organisation: Organisation, query: BucketQuery, now: datetime) -> Page:
    """Buckets of completed days; the query sees to that."""
    starts = _starts(query, now)
    groups = _cost_groups(query.group_by)
    results = [cost_results(organisation.cost_lines(start.date()), groups) for start in starts]
    return _bucket_page(query, starts, results, now)


def code_page(organisation: Organisation, query: CodeQuery) -> Page:
    """Records of one day, as they stood at the boundary that all pages of a walk share."""
    records = organisation.code_records(query.day, query.until)
    boundary, following = query.until.isoformat(), query.offset + query.limit
    data = list(islice(records, query.offset, following))
    has_more = following < len(records)
    return Page(
        data,
        len(data),
        write_cursor(str(query.offset), boundary, query.fingerprint),
        write_cursor(str(following), boundary, query.fingerprint) if has_more else None,
    )


def usage_results(
    events: Iterable[UsageEvent], group_by: Sequence[str], keys: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each group. A dimension that was not asked for is null, like one that has none."""
    sums: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for event in events:
        group, counts = tuple(getattr(event, name) for name in group_by), _COUNTERS(event)
        known = sums.get(group)
        sums[group] = counts if known is None else tuple(map(add, known, counts))
    nothing = dict.fromkeys(keys)
    return [
        {**_usage_figures(*counts), **nothing, **dict(zip(group_by, group, strict=True))}
        for group, counts in sums.items()
    ]


def _usage_figures(
    uncached: int, written_5m: int, written_1h: int, read: int, output: int, search: int, extra: int
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "uncached_input_tokens": uncached,
        "cache_creation": {
            "ephemeral_1h_input_tokens": written_1h,
            "ephemeral_5m_input_tokens": written_5m,
        },
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": search},
    }
    if extra:
        figures["research_preview"] = {"requests": extra}
    return figures


def _cost_groups(group_by: Sequence[str]) -> tuple[str, ...]:
    """Grouping by description tells all that the description stands for."""
    described = _DESCRIBED if "description" in group_by else ()
    return (*described, "workspace_id") if "workspace_id" in group_by else described


def cost_results(lines: Iterable[CostLine], groups: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each group, its amount with every decimal that the lines have."""
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[tuple(getattr(line, name) for name in groups)] += line.amount
    nothing = dict.fromkeys(_COST_KEYS)
    return [
        {
            "amount": f"{amount:f}",
            "currency": "USD",
            **nothing,
            **dict(zip(groups, group, strict=True)),
        }
        for group, amount in sums.items()
    ]


def _starts(query: BucketQuery, now: datetime) -> list[datetime]:
    """The buckets of the page. Those that begin after `now` do not exist yet."""
    span = query.width.span
    return [query.starts + n * span for n in range(min(_buckets_left(query, now), query.limit))]


def _buckets_left(query: BucketQuery, now: datetime) -> int:
    """How many buckets there are from this page on."""
    end = min(query.end, query.width.floor(now) + query.width.span)
    return (end - query.starts) // query.width.span


def _events_by_bucket(
    organisation: Organisation, query: BucketQuery, starts: Iterable[datetime], now: datetime
) -> dict[datetime, list[UsageEvent]]:
    by_bucket: dict[datetime, list[UsageEvent]] = defaultdict(list)
    for day in dict.fromkeys(start.date() for start in starts):
        for event in organisation.usage_events(day, now):
            if all(getattr(event, name) in values for name, values in query.filters):
                by_bucket[query.width.floor(event.minute)].append(event)
    return by_bucket


def _bucket_page(
    query: BucketQuery,
    starts: Sequence[datetime],
    results: Sequence[list[dict[str, Any]]],
    now: datetime,
) -> Page:
    span, boundary = query.width.span, query.end.isoformat()
    following = query.starts + len(starts) * span
    has_more = len(starts) < _buckets_left(query, now)
    data = [
        {"starting_at": as_rfc3339(start), "ending_at": as_rfc3339(start + span), "results": rows}
        for start, rows in zip(starts, results, strict=True)
    ]
    return Page(
        data,
        sum(map(len, results)),
        write_cursor(query.starts.isoformat(), boundary, query.fingerprint),
        write_cursor(following.isoformat(), boundary, query.fingerprint) if has_more else None,
    )
