"""How far behind a stream is, and what limits make of it: pure, so by tables and properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import Place
from lading.extract.freshness import freshness
from lading.extract.plan import CONTROL_TOTALS, Extract
from lading.extract.streams import Stream
from lading.project.spans import Limits, judged, span_text

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITS = Limits(DAY, 3 * DAY)
SPANS = st.timedeltas(timedelta(0), timedelta(days=40))


def extract(
    name: str = "usage",
    *,
    has_current: bool = True,
    limits: Limits | None = LIMITS,
    by: tuple[str, ...] = (),
    serves: tuple[str, ...] = ("someone",),
) -> Extract:
    stream = Stream(
        connection="anthropic",
        name=name,
        path=f"/v1/{name}",
        iterate="window",
        widths=("1d",),
        dimensions=("model",),
        most_dimensions=1,
        page_sizes={"1d": 31},
        beta={},
        has_current_period=has_current,
        lookback=3 * DAY,
        place=Place("sources/claude.yml"),
        freshness=limits,
    )
    return Extract(stream, "1d", by, TODAY - 30 * DAY, serves)


@pytest.mark.parametrize(
    ("has_current", "up_to", "behind", "state"),
    [
        (True, NOW, timedelta(0), "ok"),
        (True, NOW - DAY, DAY, "ok"),
        (True, NOW - DAY - timedelta(seconds=1), DAY + timedelta(seconds=1), "warn"),
        (True, NOW - 3 * DAY, 3 * DAY, "warn"),
        (True, NOW - 3 * DAY - timedelta(seconds=1), 3 * DAY + timedelta(seconds=1), "error"),
        # A period that is not over may have been seen to its end by a clock that went ahead.
        (True, NOW + HOUR, timedelta(0), "ok"),
        # Of what comes for days that are over, today's can't be there.
        (False, TODAY, timedelta(0), "ok"),
        # Yesterday's could have been had from midnight on.
        (False, TODAY - DAY, 10 * HOUR, "ok"),
        (False, TODAY - 2 * DAY, DAY + 10 * HOUR, "warn"),
        (False, TODAY - 4 * DAY, 3 * DAY + 10 * HOUR, "error"),
    ],
)
def test_how_far_behind(has_current: bool, up_to: datetime, behind: timedelta, state: str) -> None:
    one = extract(has_current=has_current)
    (standing,) = freshness([one], {one.key: up_to}, NOW)
    assert (standing.up_to, standing.behind, standing.state) == (up_to, behind, state)
    assert standing.failed == (state == "error")


def test_the_extract_furthest_behind_counts() -> None:
    one, other = extract(by=("model",)), extract()
    (standing,) = freshness([one, other], {one.key: NOW, other.key: NOW - 2 * DAY}, NOW)
    assert (standing.state, standing.up_to) == ("warn", NOW - 2 * DAY)


def test_what_is_fetched_for_comparison_alone_does_not_count() -> None:
    one, other = extract(by=("model",)), extract(serves=(CONTROL_TOTALS,))
    (standing,) = freshness([one, other], {one.key: NOW}, NOW)
    assert standing.state == "ok"
    assert freshness([other], {}, NOW) == ()


@pytest.mark.parametrize(
    ("limits", "failed"),
    [(LIMITS, True), (Limits(DAY, None), False), (Limits(None, DAY), True), (None, False)],
)
def test_what_never_landed_is_an_error_where_one_is_asked_for(
    limits: Limits | None, failed: bool
) -> None:
    one, other = extract(by=("model",), limits=limits), extract(limits=limits)
    (standing,) = freshness([one, other], {one.key: NOW}, NOW)
    assert (standing.state, standing.up_to, standing.failed) == ("never", None, failed)


def test_each_stream_stands_for_itself() -> None:
    one, other = extract("usage"), extract("cost")
    standings = freshness([one, other], {one.key: NOW, other.key: NOW - 9 * DAY}, NOW)
    assert [(each.stream, each.state) for each in standings] == [("usage", "ok"), ("cost", "error")]


@given(SPANS, SPANS, SPANS, SPANS)
def test_being_further_behind_is_never_better(
    near: timedelta, more: timedelta, warn: timedelta, further: timedelta
) -> None:
    order = ["ok", "warn", "error"]
    limits = Limits(warn, warn + further)
    assert order.index(judged(near, limits)) <= order.index(judged(near + more, limits))
    assert (judged(near, limits) == "ok") == (near <= warn)
    assert (judged(near, limits) == "error") == (near > warn + further)


@given(SPANS)
def test_without_limits_all_is_well(behind: timedelta) -> None:
    assert judged(behind, None) == judged(behind, Limits(None, None)) == "ok"
    assert judged(behind, Limits(timedelta(0), None)) == ("warn" if behind else "ok")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=59), "0m"),
        (timedelta(minutes=12), "12m"),
        (5 * HOUR, "5h"),
        (5 * HOUR + timedelta(minutes=20), "5h 20m"),
        (timedelta(hours=36), "1d 12h"),
        (3 * DAY + timedelta(minutes=59), "3d"),
    ],
)
def test_spans_in_words(span: timedelta, text: str) -> None:
    assert span_text(span) == text
