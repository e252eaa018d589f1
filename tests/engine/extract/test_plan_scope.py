from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from lading.errors import Place
from lading.extract.plan import Asking, Period, Request, Scope, plan
from lading.extract.streams import Stream

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 20, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
# With a lookback of three days, what ended by then is closed.
CLOSED = TODAY - 3 * DAY


def stream(name: str, iterate: Literal["window", "day"]) -> Stream:
    return Stream(
        connection="anthropic",
        name=name,
        path=f"/v1/{name}",
        iterate=iterate,
        widths=("1d", "1h") if iterate == "window" else (),
        dimensions=("model",),
        most_dimensions=5,
        page_sizes={"1d": 31, "1h": 168},
        beta={},
        has_current_period=True,
        lookback=3 * DAY,
        place=Place("sources/claude.yml", 1),
    )


STREAMS = (stream("usage", "window"), stream("code", "day"))
ASKINGS = tuple(
    Asking(each.name, "1d", frozenset(), START, each.name, Place("mappings/claude.yml", 1))
    for each in STREAMS
)
KEYS = {each.stream.name: each.key for each in plan(STREAMS, ASKINGS, {}, NOW).extracts}
LANDED = {key: (Period(START, CLOSED),) for key in KEYS.values()}


def requests(scope: Scope, name: str = "usage") -> list[Request]:
    planned = plan(STREAMS, ASKINGS, LANDED, NOW, scope)
    return [each for each in planned.requests if each.extract.stream.name == name]


def days(found: list[Request]) -> list[datetime]:
    return [
        each.period.starting_at + number * DAY
        for each in found
        for number in range((each.period.ending_at - each.period.starting_at) // DAY)
    ]


def span(first: datetime, end: datetime) -> list[datetime]:
    return [first + number * DAY for number in range((end - first) // DAY)]


def test_without_a_scope_only_open_days_are_asked_for() -> None:
    assert days(requests(Scope())) == span(CLOSED, TODAY + DAY)


@given(st.integers(-400, 60), st.integers(-400, 60))
def test_a_range_is_cut_to_whole_days_and_to_what_is_open(first: int, length: int) -> None:
    start = TODAY + first * DAY + timedelta(hours=7)
    end = start + abs(length) * DAY + timedelta(hours=1)
    asked = set(days(requests(Scope(start=start, end=end))))
    wanted = set(span(start - timedelta(hours=7), min(end + DAY, TODAY + DAY)))
    wanted = {day for day in wanted if day < end}
    assert asked == {day for day in wanted if not START <= day < CLOSED}


def test_a_backfill_reaches_further_back_than_the_mappings() -> None:
    found = requests(Scope(start=datetime(2025, 11, 1, tzinfo=UTC), end=START))
    assert days(found) == span(datetime(2025, 11, 1, tzinfo=UTC), START)
    assert {each.reason for each in found} == {"gap"}


def test_a_full_refresh_asks_for_everything_once() -> None:
    found = requests(Scope(refresh=True))
    assert days(found) == span(START, TODAY + DAY)
    assert [each.reason for each in found] == ["forced", "forced", "forced"]
    code = requests(Scope(refresh=True), "code")
    assert days(code) == span(START, TODAY + DAY)
    assert [each.reason for each in code[-4:]] == ["lookback"] * 3 + ["current"]


@given(st.integers(1, 100))
def test_a_recheck_asks_for_closed_days_of_its_span(number: int) -> None:
    found = requests(Scope(recheck=number * DAY), "code")
    first = max(START, min(CLOSED, TODAY - number * DAY))
    assert days(found) == span(first, TODAY + DAY)
    again = [each for each in found if each.period.starting_at < CLOSED]
    assert {each.reason for each in again} <= {"recheck"}
    assert len(again) == (CLOSED - first) // DAY


def test_a_recheck_in_hours_asks_for_whole_days() -> None:
    found = requests(Scope(recheck=timedelta(hours=84)), "code")
    assert days(found)[0] == TODAY - 4 * DAY
    assert all(each.period.starting_at.hour == 0 for each in found)


def test_only_the_selected_streams_are_asked_for() -> None:
    scope = Scope(streams=frozenset({"code"}))
    planned = plan(STREAMS, ASKINGS, LANDED, NOW, scope)
    assert {each.extract.stream.name for each in planned.requests} == {"code"}
    assert [each.stream.name for each in planned.extracts] == ["code"]


def test_an_asking_of_one_connection_is_not_answered_by_another() -> None:
    here, there = (
        Stream(**{**_fields(STREAMS[0]), "connection": name})  # type: ignore[arg-type]
        for name in ("here", "there")
    )
    asking = Asking(
        "usage", "1h", frozenset(), START, "sources/claude.yml:9", Place("sources/claude.yml", 9),
        connection="there",
    )  # fmt: skip
    (extract,) = plan((here, there), (asking,), {}, NOW).extracts
    assert extract.stream.connection == "there"


def _fields(of: Stream) -> dict[str, object]:
    return {name: getattr(of, name) for name in of.__slots__}
