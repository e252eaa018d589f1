"""Up to which day reports are final, and when the next one is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lading.errors import Place
from lading.extract.closing import Closing, closings
from lading.extract.plan import CONTROL_TOTALS, Extract, Period, closes_at
from lading.extract.streams import SNAPSHOT, Stream

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST = datetime(2026, 2, 1, tzinfo=UTC)
NOW = FIRST + 9 * DAY + 15 * HOUR


def stream(name: str, lookback: timedelta) -> Stream:
    sizes = {"1d": 31, "1h": 168}
    return Stream(
        "anthropic", name, "/", "window", ("1d", "1h"), (), 0, sizes, {}, True, lookback, Place("f")
    )


def slices(width: timedelta, closed: set[int]) -> list[Period]:
    """Slices of one width, by their numbers from the first day on."""
    return [Period(FIRST + each * width, FIRST + (each + 1) * width) for each in closed]


@given(
    start_hour=st.integers(0, 60),
    open_hours=st.sets(st.integers(0, 215), max_size=3),
    open_days=st.sets(st.integers(0, 8), max_size=2),
    lookback_hours=st.integers(0, 100),
)
def test_a_day_is_final_when_all_of_it_and_before_it_is_closed_in_each_extract(
    start_hour: int, open_hours: set[int], open_days: set[int], lookback_hours: int
) -> None:
    report = stream("usage", lookback_hours * HOUR)
    by_hour = Extract(report, "1h", (), FIRST + start_hour * HOUR, ("a mapping",))
    by_day = Extract(report, "1d", ("model",), FIRST, ("another",))
    closed = {
        by_hour.key: slices(HOUR, set(range(start_hour, 216)) - open_hours),
        by_day.key: slices(DAY, set(range(9)) - open_days),
    }
    still_open = [each // 24 for each in open_hours if each >= start_hour]
    next_day = min([9, *still_open, *open_days])
    (found,) = closings([by_hour, by_day], closed, NOW)
    assert found.next_day == FIRST + next_day * DAY
    assert found.closed_up_to == (found.next_day if next_day else None)
    # At that moment the day ended by the start of the lookback, and not a moment sooner.
    ends = found.next_day + DAY
    assert closes_at(report, found.next_closes_at) >= ends
    assert closes_at(report, found.next_closes_at - timedelta.resolution) < ends


def test_lists_comparisons_and_what_begins_later_have_no_days() -> None:
    report, other = stream("usage", 3 * DAY), stream("cost", 3 * DAY)
    extracts = [
        Extract(report, SNAPSHOT, (), FIRST, ("a mapping",)),
        Extract(report, "1d", (), FIRST, (CONTROL_TOTALS,)),
        Extract(report, "1d", ("model",), NOW + DAY, ("a mapping",)),
        Extract(other, "1d", (), FIRST, ("a mapping",)),
    ]
    assert closings(extracts, {}, NOW) == (
        Closing("anthropic", "cost", None, FIRST, FIRST + 4 * DAY),
    )
