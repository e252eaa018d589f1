"""Days that the stand-in tells of otherwise than before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.anthropic import AnthropicStandIn
from lading.sandbox.organisation import Organisation

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import Reports

IDLE_DAY, DAY, NEXT_DAY = date(2026, 2, 2), date(2026, 2, 3), date(2026, 2, 4)
ORGANISATION = Organisation(first_day=date(2026, 2, 1))
REPORTS = ("usage_report/messages", "cost_report", "usage_report/claude_code")


@pytest.fixture
def client(serve: Callable[..., AbstractContextManager[Reports]]) -> Iterator[Reports]:
    with serve(ORGANISATION) as reports:
        yield reports


@pytest.fixture
def stand_in(client: Reports) -> AnthropicStandIn:
    return client.stand_in


def ask(client: Reports, report: str, day: date = DAY) -> str:
    """A day's report as it is written; that of Claude Code has it on one page."""
    pairs = client.range(day, day.replace(day=day.day + 1), "workspace_id")
    if report.endswith("claude_code"):
        pairs = [("starting_at", f"{day}"), ("limit", "1000")]
    answer = client.send(f"/v1/organizations/{report}", pairs)
    assert answer.status_code == 200
    return answer.text


def test_a_day_is_told_otherwise_and_the_others_as_before(client: Reports) -> None:
    days = (IDLE_DAY, DAY, NEXT_DAY)
    before = {(report, day): ask(client, report, day) for report in REPORTS for day in days}
    client.stand_in.restate(DAY, more=10)
    after = {(report, day): ask(client, report, day) for report in REPORTS for day in days}
    assert {key for key, text in after.items() if text != before[key]} == {
        (report, DAY) for report in REPORTS
    }
    assert ORGANISATION.usage_events(DAY) != client.stand_in.organisation.usage_events(DAY)


def test_more(stand_in: AnthropicStandIn) -> None:
    stand_in.restate(DAY, more=10)
    before, after = ORGANISATION.usage_events(DAY), stand_in.organisation.usage_events(DAY)
    assert before[:-1] == after[:-1]
    assert after[-1].output_tokens == before[-1].output_tokens + 10
    old, new = ORGANISATION.code_records(DAY), stand_in.organisation.code_records(DAY)
    assert old[:-1] == new[:-1]
    lines = [each[-1]["core_metrics"]["lines_of_code"]["added"] for each in (old, new)]
    assert lines[1] == lines[0] + 10


@pytest.mark.parametrize("day", [DAY, IDLE_DAY])
def test_late(stand_in: AnthropicStandIn, day: date) -> None:
    stand_in.restate(day, late=2)
    for entries in ("usage_events", "code_records"):
        before = getattr(ORGANISATION, entries)(day)
        after = getattr(stand_in.organisation, entries)(day)
        late = [each for each in after if each not in before]
        assert len(late) == 2
        assert tuple(each for each in after if each not in late) == before
    assert sum(each.amount for each in stand_in.organisation.cost_lines(day)) > sum(
        each.amount for each in ORGANISATION.cost_lines(day)
    )


def test_withdrawn(stand_in: AnthropicStandIn) -> None:
    stand_in.restate(DAY, withdrawn=3)
    assert stand_in.organisation.usage_events(DAY) == ORGANISATION.usage_events(DAY)[3:]
    assert stand_in.organisation.code_records(DAY) == ORGANISATION.code_records(DAY)[3:]


def test_a_day_is_put_back_by_another_correction(stand_in: AnthropicStandIn) -> None:
    stand_in.restate(IDLE_DAY, late=1)
    stand_in.restate(DAY, withdrawn=3)
    stand_in.restate(DAY)
    assert stand_in.organisation.usage_events(DAY) == ORGANISATION.usage_events(DAY)
    assert len(stand_in.organisation.usage_events(IDLE_DAY)) == 1


@pytest.mark.parametrize("report", REPORTS)
def test_backwards_are_other_bytes_for_the_same_values(client: Reports, report: str) -> None:
    before = ask(client, report)
    client.stand_in.backwards = True
    after = ask(client, report)
    assert after != before
    old, new = json.loads(before)["data"], json.loads(after)["data"]
    assert rows(new) == rows(old)[::-1]
    assert list(new[0]) == list(old[0])[::-1]


def rows(data: list[dict[str, Any]]) -> list[str]:
    """A bucket's rows, or else the records; lists within them in one order."""
    return [
        json.dumps({name: _sorted(part) for name, part in each.items()}, sort_keys=True)
        for each in data[0].get("results", data)
    ]


def _sorted(part: Any) -> Any:
    return sorted(json.dumps(each, sort_keys=True) for each in part) if type(part) is list else part
