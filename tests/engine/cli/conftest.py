"""What the organisation's own events add up to, and reports that are changed on their way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest

from lading.sandbox.faults import Faults
from lading.sandbox.organisation import Organisation
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Claude Code's report lags behind by an hour.
CODE_LAG = timedelta(hours=1)
# What an entity calls a counter, and what the organisation's events call it.
COUNTERS = {
    "uncached_input_tokens": "uncached_input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation_5m_tokens": "ephemeral_5m_input_tokens",
    "cache_creation_1h_tokens": "ephemeral_1h_input_tokens",
    "web_search_requests": "web_search_requests",
}

Counts = dict[str, int]
Json = dict[str, Any]

HEADERS = ("x-api-key", "anthropic-version", "anthropic-beta")
# Changes the data of an answer to a request: buckets, records or members.
Change = Callable[[Request, list[Json]], None]
ChangeAnswers = Callable[[Change], None]


@dataclass(frozen=True)
class Reckoning:
    """What happened, added up from events and lines; never from a report."""

    organisation: Organisation

    def usage(
        self,
        now: datetime,
        by: Sequence[str] = (),
        width: timedelta = DAY,
        first: datetime = FIRST_DAY,
    ) -> dict[tuple[Any, ...], Counts]:
        """Counters by the bucket's start and the dimensions, where anything was used."""
        sums: dict[tuple[Any, ...], Counts] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
        for day in _days(first, now):
            for event in self.organisation.usage_events(day, now):
                start = event.minute - (event.minute - FIRST_DAY) % width
                if start < first:
                    continue
                counts = sums[(start, *(getattr(event, name) for name in by))]
                for name, theirs in COUNTERS.items():
                    counts[name] += getattr(event, theirs)
        return dict(sums)

    def cost(self, now: datetime, first: datetime = FIRST_DAY) -> dict[date, Decimal]:
        """Cents by day, of the days that are over and on which anything was billed."""
        bills = {day: self.organisation.cost_lines(day) for day in _days(first, now - DAY)}
        return {
            day: sum((line.amount for line in lines), Decimal())
            for day, lines in bills.items()
            if lines
        }

    def code(self, now: datetime, first: datetime = FIRST_DAY) -> dict[tuple[date, str], Json]:
        """All records of an actor's day in one, by the day and the actor's name."""
        found: dict[tuple[date, str], list[Json]] = defaultdict(list)
        for day in _days(first, now):
            for record in self.organisation.code_records(day, now - CODE_LAG):
                actor = record["actor"]
                found[day, actor.get("api_key_name") or actor["email_address"]].append(record)
        return {key: _summed(records) for key, records in found.items()}


def _days(first: datetime, last: datetime) -> list[date]:
    return [first.date() + n * DAY for n in range((last.date() - first.date()).days + 1)]


def _summed(records: Sequence[Json]) -> Json:
    core = [each["core_metrics"] for each in records]
    tools = [each["tool_actions"] for each in records]
    return {
        "organization_id": records[0]["organization_id"],
        "actor_type": records[0]["actor"]["type"],
        "terminal_type": ", ".join(sorted({each["terminal_type"] for each in records})),
        "num_sessions": sum(each["num_sessions"] for each in core),
        "lines_added": sum(each["lines_of_code"]["added"] for each in core),
        "lines_removed": sum(each["lines_of_code"]["removed"] for each in core),
        "commits": sum(each["commits_by_claude_code"] for each in core),
        "pull_requests": sum(each["pull_requests_by_claude_code"] for each in core),
        "edit_tool_accepted": sum(each.get("edit_tool", {}).get("accepted", 0) for each in tools),
        "edit_tool_rejected": sum(each.get("edit_tool", {}).get("rejected", 0) for each in tools),
        "write_tool_accepted": sum(each.get("write_tool", {}).get("accepted", 0) for each in tools),
        "write_tool_rejected": sum(each.get("write_tool", {}).get("rejected", 0) for each in tools),
        "model_breakdown": _by_model([one for each in records for one in each["model_breakdown"]]),
    }


def _by_model(shares: Sequence[Json]) -> list[Json]:
    sums: dict[str, tuple[Counts, list[Decimal]]] = {}
    for share in shares:
        tokens, amounts = sums.setdefault(share["model"], (defaultdict(int), []))
        for name, count in share["tokens"].items():
            tokens[name] += count
        # The digits that the report prints, not those of the nearest double.
        amounts.append(Decimal(repr(share["estimated_cost"]["amount"])))
    return [
        {
            "model": model,
            "tokens": dict(tokens),
            "estimated_cost": {"currency": "USD", "amount": sum(amounts)},
        }
        for model, (tokens, amounts) in sorted(sums.items())
    ]


@pytest.fixture(scope="session")
def reckoning(organisation: Organisation) -> Reckoning:
    """What the organisation did, added up without the tool."""
    return Reckoning(organisation)


@pytest.fixture
def change_answers(desk: Desk) -> Iterator[ChangeAnswers]:
    """Puts a server before Anthropic's stand-in that changes what it answers."""
    with ExitStack() as running:
        behind = httpx.Client(base_url=desk.anthropic.base_url, trust_env=False, timeout=60)
        client = running.enter_context(behind)

        def put(change: Change) -> None:
            relay = StandIn("relay", lambda request: _changed(client, request, change), Faults())
            desk.anthropic.base_url = running.enter_context(relay).base_url

        yield put


def _changed(client: httpx.Client, request: Request, change: Change) -> Response:
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    answer = client.get(f"{request.path}?{urlencode(request.query)}", headers=headers)
    page = answer.json()
    if answer.status_code == 200:
        change(request, page.get("data", []))
    return json_response(answer.status_code, page)
