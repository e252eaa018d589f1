"""One usage, seen at several widths and by several groupings: always the same sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Counts, Reckoning
    from tests.engine.conftest import Desk, Done, MakeDesk

COUNTERS = {
    "uncached_input_tokens": ".uncached_input_tokens",
    "output_tokens": ".output_tokens",
    "cache_read_input_tokens": ".cache_read_input_tokens",
    "cache_creation_5m_tokens": ".cache_creation.ephemeral_5m_input_tokens",
    "cache_creation_1h_tokens": ".cache_creation.ephemeral_1h_input_tokens",
    "web_search_requests": ".server_tool_use.web_search_requests",
}
NUMBERS = "\n".join(f"    {name}: {{type: number}}" for name in COUNTERS)
BLUEPRINT = f"""
identifier: usage_slice
title: Usage of a bucket and group
schema:
  properties:
    view: {{type: string}}
    starts: {{type: string, format: date-time}}
    group: {{type: array}}
{NUMBERS}
  required: [view, starts, group]
relations: {{}}
"""


@dataclass(frozen=True)
class View:
    """A resource on the usage report."""

    name: str
    start: str
    width: str = "1d"
    by: tuple[str, ...] = ()

    @property
    def span(self) -> timedelta:
        return {"1m": timedelta(minutes=1), "1h": timedelta(hours=1)}.get(
            self.width, timedelta(days=1)
        )

    @property
    def first(self) -> datetime:
        """The start of the first bucket: the one that the start is in."""
        start = datetime.fromisoformat(self.start)
        return start - (start - datetime(2026, 1, 1, tzinfo=UTC)) % self.span

    def resource(self) -> str:
        group = "[" + ", ".join(f".item.{name}" for name in self.by) + "]"
        named = f'({group} | map(. // "none") | join("+"))'
        numbers = "\n".join(f"            {name}: .item{at}" for name, at in COUNTERS.items())
        return f"""
  - kind: claude-platform-usage-record
    selector:
      startingDate: '{self.start}'
      bucketWidth: {self.width}
      groupBy: [{", ".join(self.by)}]
    port:
      itemsToParse: .results
      itemsToParseTopLevelTransform: false
      entity:
        mappings:
          identifier: '"{self.name}-" + .starting_at + "-" + {named}'
          blueprint: '"usage_slice"'
          properties:
            view: '"{self.name}"'
            starts: .starting_at
            group: '{group}'
{numbers}
"""


def mapping(*views: View) -> str:
    return "resources:" + "".join(view.resource() for view in views)


def figures(desk: Desk, view: View) -> dict[tuple[Any, ...], Counts]:
    """What Port holds of a view, by the bucket's start and the dimensions."""
    return {
        (datetime.fromisoformat(each["starts"]), *each["group"]): {
            name: each[name] for name in COUNTERS
        }
        for each in desk.held("usage_slice").values()
        if each["view"] == view.name
    }


def expected(reckoning: Reckoning, desk: Desk, view: View) -> dict[tuple[Any, ...], Counts]:
    return reckoning.usage(desk.now, view.by, view.span, view.first)


def total_by_day(by_key: Mapping[tuple[Any, ...], Counts]) -> dict[date, Counts]:
    sums: dict[date, Counts] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    for key, counts in by_key.items():
        for name, count in counts.items():
            sums[key[0].date()][name] += count
    return dict(sums)


def group_bys(desk: Desk, width: str) -> list[list[str]]:
    """The groupings that were asked for at a width, one for each extract."""
    asked = {
        tuple(sorted(value for name, value in request.query if name == "group_by[]"))
        for request in desk.anthropic.requests
        if ("bucket_width", width) in request.query and "messages" in request.path
    }
    return sorted(list(each) for each in asked)


DAYS = View("days", "2026-01-25T00:00:00Z")
FIVE = View(
    "five",
    "2026-01-25T00:00:00Z",
    by=("api_key_id", "context_window", "model", "service_tier", "workspace_id"),
)
OTHERS = View(
    "others",
    "2026-01-25T00:00:00Z",
    by=("account_id", "inference_geo", "service_account_id", "speed"),
)
HOURS = View("hours", "2026-02-03T10:30:00Z", "1h", ("workspace_id",))
MINUTES = View("minutes", "2026-02-05T06:00:00Z", "1m", ("model",))
VIEWS = (DAYS, FIVE, OTHERS, HOURS, MINUTES)


@pytest.fixture(scope="module")
def synced(make_desk: MakeDesk) -> tuple[Desk, Done]:
    desk = make_desk()
    desk.write("mappings/blueprints/usage_slice.yml", BLUEPRINT)
    desk.write("mappings/claude.yml", mapping(*VIEWS))
    return desk, desk.run("sync")


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_each_view_has_the_figures_of_its_groups(
    synced: tuple[Desk, Done], reckoning: Reckoning, view: View
) -> None:
    desk, done = synced
    assert done.code == 0, done.err
    found = figures(desk, view)
    assert found == expected(reckoning, desk, view)
    assert len(found) > 5


@pytest.mark.parametrize("view", [FIVE, OTHERS, HOURS, MINUTES], ids=lambda view: view.name)
def test_groups_add_up_to_the_ungrouped_days(
    synced: tuple[Desk, Done], reckoning: Reckoning, view: View
) -> None:
    desk, _ = synced
    found = total_by_day(figures(desk, view))
    ungrouped = total_by_day(reckoning.usage(desk.now, first=DAYS.first))
    whole_days = [day for day in found if day > view.first.date() or view.width == "1d"]
    for day in whole_days:
        assert found[day] == ungrouped[day]
    assert whole_days or view is MINUTES


def test_what_does_not_fit_into_five_is_two_extracts(synced: tuple[Desk, Done]) -> None:
    desk, _ = synced
    assert group_bys(desk, "1d") == [[], sorted(OTHERS.by), sorted(FIVE.by)]
    assert group_bys(desk, "1h") == [[], ["workspace_id"]]
    assert group_bys(desk, "1m") == [[], ["model"]]


def test_views_are_not_added_up_in_marts(synced: tuple[Desk, Done], reckoning: Reckoning) -> None:
    desk, _ = synced
    ungrouped = total_by_day(reckoning.usage(desk.now, first=DAYS.first))
    rows = desk.query(
        "SELECT day, uncached_input_tokens, output_tokens, cache_read_input_tokens, "
        "cache_creation_5m_input_tokens, cache_creation_1h_input_tokens, web_search_requests "
        "FROM marts.usage_by_day"
    )
    assert {row[0]: dict(zip(COUNTERS, row[1:], strict=True)) for row in rows if any(row[1:])} == {
        day: counts for day, counts in ungrouped.items() if any(counts.values())
    }


def sums(desk: Desk, mart: str, column: str) -> dict[tuple[Any, ...], int]:
    return {
        row[:2]: row[2]
        for row in desk.query(f"SELECT day, {column}, output_tokens FROM marts.{mart}")
    }


def output_by_day(
    reckoning: Reckoning, now: datetime, first: datetime, by: Sequence[str]
) -> dict[tuple[Any, ...], int]:
    return {
        (start.date(), "default" if value is None else value): counts["output_tokens"]
        for (start, value), counts in reckoning.usage(now, by, first=first).items()
    }


def test_a_dimension_that_is_asked_for_later(desk: Desk, reckoning: Reckoning) -> None:
    """Each change leads to a new extract; the figures never come from two of them at once."""
    by_workspace = View("days", "2026-01-30T00:00:00Z", by=("workspace_id",))
    by_model = View("models", "2026-01-30T00:00:00Z", by=("model",))
    by_key = View("keys", "2026-01-30T00:00:00Z", by=("api_key_id",))
    desk.write("mappings/blueprints/usage_slice.yml", BLUEPRINT)
    steps = [(by_workspace,), (by_workspace, by_model), (by_model, by_key), (by_workspace,)]
    for views in steps:
        desk.forget_requests()
        desk.write("mappings/claude.yml", mapping(*views))
        done = desk.run("sync")
        assert done.code == 0, done.err
        for view in views:
            assert figures(desk, view) == expected(reckoning, desk, view)
        for view, mart in ((by_workspace, "workspace"), (by_model, "model")):
            if view in views:
                found = sums(desk, f"usage_by_day_and_{mart}", view.by[0])
                assert found == output_by_day(reckoning, desk.now, view.first, view.by)
        desk.now += timedelta(days=1, hours=3)


def test_entities_that_a_new_grouping_does_not_change_are_not_sent_again(desk: Desk) -> None:
    by_workspace = View("days", "2026-02-01T00:00:00Z", by=("workspace_id",))
    by_model = View("models", "2026-02-01T00:00:00Z", by=("model",))
    desk.write("mappings/blueprints/usage_slice.yml", BLUEPRINT)
    desk.write("mappings/claude.yml", mapping(by_workspace))
    desk.run("sync")
    desk.forget_requests()
    desk.write("mappings/claude.yml", mapping(by_workspace, by_model))
    assert desk.run("sync").code == 0
    assert group_bys(desk, "1d") == [[], ["model", "workspace_id"]]
    assert {each["properties"]["view"] for each in desk.sent()} == {"models"}
