from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.errors import Place
from lading.extract.plan import Asking, Extract, Period, Request, check_askings, plan
from lading.extract.streams import Stream

DIMENSIONS = tuple("abcdefghi")
MOST = 5
SPANS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
PAGES = {"1d": 31, "1h": 168, "1m": 1440}


def stream(
    name: str = "usage",
    *,
    iterate: str = "window",
    current: bool = True,
    lookback: timedelta = timedelta(days=3),
    most: int = MOST,
) -> Stream:
    is_window = iterate == "window"
    return Stream(
        connection="anthropic",
        name=name,
        path=f"/v1/{name}",
        iterate="window" if is_window else "day",
        widths=("1d", "1h", "1m") if is_window else (),
        dimensions=DIMENSIONS if is_window else (),
        most_dimensions=most if is_window else 0,
        page_sizes=PAGES if is_window else {"1d": 1000},
        beta={},
        has_current_period=current,
        lookback=lookback,
        place=Place("sources/claude.yml", 1),
    )


USAGE, COST, CODE = stream(), stream("cost", current=False), stream("code", iterate="day")


def asking(
    number: int, dimensions: Sequence[str], start: datetime, width: str = "1d", of: str = "usage"
) -> Asking:
    place = Place("mappings/claude.yml", number + 1)
    return Asking(of, width, frozenset(dimensions), start, f"asking {number}", place)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


moments = st.datetimes(
    datetime.fromisoformat("2025-12-01"),
    datetime.fromisoformat("2026-03-31"),
    timezones=st.just(UTC),
)
groupings = st.lists(
    st.frozensets(st.sampled_from(DIMENSIONS), max_size=MOST), min_size=1, max_size=5
)


def partitions(items: list[frozenset[str]]) -> Iterator[list[frozenset[str]]]:
    """The unions of every way to put the items into heaps."""
    if not items:
        yield []
        return
    for heaps in partitions(items[1:]):
        yield [items[0], *heaps]
        for index, heap in enumerate(heaps):
            yield [*heaps[:index], heap | items[0], *heaps[index + 1 :]]


def fewest(items: list[frozenset[str]]) -> int:
    return min(
        len(heaps) for heaps in partitions(items) if all(len(heap) <= MOST for heap in heaps)
    )


# Where putting each into the first heap that has room takes one heap too many.
@example([frozenset("abci"), frozenset("befh"), frozenset("bei"), frozenset("cfi")])
@example([frozenset("acdh"), frozenset("bcgi"), frozenset("cgh"), frozenset("ae")])
@given(groupings)
def test_each_asking_is_answered_by_one_of_the_fewest_extracts(
    wanted: list[frozenset[str]],
) -> None:
    start = at("2026-01-01")
    askings = [asking(number, sorted(each), start) for number, each in enumerate(wanted)]
    extracts = plan([USAGE], askings, {}, at("2026-01-02")).extracts
    served = [name for extract in extracts for name in extract.serves]
    assert sorted(served) == sorted(each.by for each in askings)
    for each in askings:
        (extract,) = (one for one in extracts if each.by in one.serves)
        assert each.dimensions <= set(extract.dimensions)
    for extract in extracts:
        assert len(extract.dimensions) <= MOST
        assert list(extract.dimensions) == sorted(set(extract.dimensions))
        wants = [each.dimensions for each in askings if each.by in extract.serves]
        assert set(extract.dimensions) == set().union(*wants)
    assert len(extracts) == fewest(wanted)


@given(groupings, st.randoms(use_true_random=False))
def test_the_order_of_the_askings_does_not_change_what_is_fetched(
    wanted: list[frozenset[str]], random: object
) -> None:
    askings = [asking(n, sorted(each), at("2026-01-01")) for n, each in enumerate(wanted)]
    shuffled = list(askings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        {extract.request for extract in plan([USAGE], each, {}, at("2026-01-02")).extracts}
        for each in (askings, shuffled)
    )
    assert first == second


@given(
    st.lists(
        st.frozensets(st.sampled_from("abcdefghijklmnopqrst"), min_size=1, max_size=MOST),
        min_size=11,
        max_size=30,
    )
)
def test_many_groupings_are_answered_too(wanted: list[frozenset[str]]) -> None:
    askings = [asking(n, sorted(each), at("2026-01-01")) for n, each in enumerate(wanted)]
    extracts = plan([USAGE], askings, {}, at("2026-01-02")).extracts
    assert sum(len(extract.serves) for extract in extracts) == len(askings)
    for each in askings:
        (extract,) = (one for one in extracts if each.by in one.serves)
        assert each.dimensions <= set(extract.dimensions)
        assert len(extract.dimensions) <= MOST


def test_widths_and_streams_are_never_shared() -> None:
    start = at("2026-01-01")
    askings = [
        asking(0, "ab", start),
        asking(1, "a", start, width="1h"),
        asking(2, "", start, of="cost"),
        asking(3, "a", start, of="cost"),
        asking(4, "", start, of="code"),
    ]
    extracts = plan([USAGE, COST, CODE], askings, {}, at("2026-01-02")).extracts
    shown = [(each.stream.name, each.width, each.dimensions, each.serves) for each in extracts]
    assert shown == [
        ("usage", "1d", ("a", "b"), ("asking 0",)),
        ("usage", "1h", ("a",), ("asking 1",)),
        ("cost", "1d", ("a",), ("asking 2", "asking 3")),
        ("code", "1d", (), ("asking 4",)),
    ]


def test_an_extract_starts_with_the_earliest_of_its_askings() -> None:
    askings = [asking(0, "a", at("2026-01-20")), asking(1, "b", at("2026-01-05"))]
    (extract,) = plan([USAGE], askings, {}, at("2026-02-01")).extracts
    assert (extract.start, extract.dimensions) == (at("2026-01-05"), ("a", "b"))


def test_the_same_stream_of_two_organisations_is_fetched_from_both() -> None:
    first = stream()
    other = Stream(
        **{name: getattr(first, name) for name in Stream.__slots__} | {"connection": "eu"}
    )
    extracts = plan(
        [first, other], [asking(0, "a", at("2026-01-01"))], {}, at("2026-01-02")
    ).extracts
    assert [each.key[0] for each in extracts] == ["anthropic", "eu"]


@dataclass(frozen=True)
class Case:
    """A stream, a width, a range and the periods of it that are closed."""

    stream: Stream
    width: str
    start: datetime
    now: datetime
    closed: tuple[Period, ...]
    is_known: bool

    @property
    def span(self) -> timedelta:
        return SPANS[self.width]

    def slices(self) -> list[datetime]:
        """The starts of all slices from `start` to the present, closed or not."""
        if self.start > self.now:
            return []
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        first = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        first += (self.start - first) // self.span * self.span
        end = self.now if self.stream.has_current_period else midnight - timedelta(microseconds=1)
        count = (end - first) // self.span + 1
        return [first + number * self.span for number in range(max(0, count))]

    def is_closed(self, start: datetime) -> bool:
        return any(each.starting_at <= start < each.ending_at for each in self.closed)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    width = draw(st.sampled_from(["1d", "1d", "1h", "1m"]))
    kind = draw(st.sampled_from([USAGE, COST, CODE]))
    if kind is not USAGE:
        width = "1d"
    span = SPANS[width]
    now = draw(moments)
    slices = draw(st.integers(-3, {"1d": 130, "1h": 600, "1m": 3000}[width]))
    start = now - slices * span - timedelta(seconds=draw(st.integers(0, 86_400)))
    floor = datetime.fromisoformat("2025-01-01").replace(tzinfo=UTC)
    base = floor + (start - floor) // span * span
    closed = tuple(
        Period(base + first * span, base + (first + length) * span)
        for first, length in draw(
            st.lists(st.tuples(st.integers(-20, max(1, slices)), st.integers(1, 40)), max_size=5)
        )
    )
    return Case(kind, width, start, now, closed, bool(closed) or draw(st.booleans()))


def requests_of(case: Case) -> tuple[Request, ...]:
    asked = asking(0, "", case.start, case.width, of=case.stream.name)
    (extract,) = plan([case.stream], [asked], {}, case.now).extracts
    known = {extract.key: case.closed} if case.is_known else {}
    return plan([case.stream], [asked], known, case.now).requests


@given(cases())
def test_what_is_not_closed_is_asked_for_once_and_nothing_else(case: Case) -> None:
    asked: list[datetime] = []
    for request in requests_of(case):
        start, end = request.period.starting_at, request.period.ending_at
        assert start < end
        count, rest = divmod(end - start, case.span)
        assert not rest
        asked.extend(start + number * case.span for number in range(count))
    assert sorted(set(asked)) == sorted(asked)
    assert sorted(asked) == [each for each in case.slices() if not case.is_closed(each)]


@given(cases())
def test_no_request_exceeds_a_page_and_they_are_in_order(case: Case) -> None:
    requests = requests_of(case)
    page = 1 if case.stream.iterate == "day" else PAGES[case.width]
    for request in requests:
        assert request.period.ending_at - request.period.starting_at <= page * case.span
    starts = [request.period.starting_at for request in requests]
    assert starts == sorted(starts)


@given(cases())
def test_no_more_requests_than_the_gaps_need(case: Case) -> None:
    page = 1 if case.stream.iterate == "day" else PAGES[case.width]
    open_slices = [each for each in case.slices() if not case.is_closed(each)]
    needed, run, last = 0, 0, None
    for each in open_slices:
        run = run + 1 if last is not None and each - last == case.span else 1
        needed += run % page == 1 or page == 1
        last = each
    assert len(requests_of(case)) == needed


@given(cases())
def test_each_request_says_why(case: Case) -> None:
    midnight = case.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for request in requests_of(case):
        start = request.period.starting_at
        if not case.is_known:
            expected = "new"
        elif start <= case.now < start + case.span:
            expected = "current"
        else:
            expected = "lookback" if start >= midnight - timedelta(days=3) else "gap"
        assert request.reason == expected


@pytest.mark.parametrize("kind", [USAGE, COST, CODE], ids=lambda kind: kind.name)
@given(now=moments, slices=st.integers(0, 120))
def test_once_everything_landed_only_the_lookback_and_today_are_asked_for(
    kind: Stream, now: datetime, slices: int
) -> None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=slices)
    closed = (Period(start, max(start, midnight - timedelta(days=3))),)
    case = Case(kind, "1d", start, now, closed, is_known=True)
    asked = {request.period.starting_at for request in requests_of(case)}
    ends = {request.period.ending_at for request in requests_of(case)}
    first = max(start, midnight - timedelta(days=3))
    if kind is COST:
        assert (asked, ends) == (({first}, {midnight}) if slices else (set(), set()))
    else:
        assert min(asked) == first
        assert max(ends) == midnight + timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (USAGE, [("2026-03-01", "2026-03-02")]),
        (COST, []),
        (CODE, [("2026-03-01", "2026-03-02")]),
    ],
    ids=["usage", "cost", "code"],
)
@pytest.mark.parametrize("clock", ["00:00:00", "00:00:01", "23:59:59"])
def test_from_the_first_of_the_month_on_the_first_of_the_month(
    kind: Stream, asked: list[tuple[str, str]], clock: str
) -> None:
    case = Case(kind, "1d", at("2026-03-01"), at(f"2026-03-01T{clock}"), (), is_known=False)
    periods = [(each.period.starting_at, each.period.ending_at) for each in requests_of(case)]
    assert periods == [(at(start), at(end)) for start, end in asked]


@pytest.mark.parametrize(
    ("width", "requests", "last"),
    [
        ("1d", 3, ("2026-03-04", "2026-03-21")),
        ("1h", 12, ("2026-03-19", "2026-03-20T16:00")),
        ("1m", 79, ("2026-03-20", "2026-03-20T15:31")),
    ],
)
def test_months_in_pages_of_each_width(width: str, requests: int, last: tuple[str, str]) -> None:
    case = Case(USAGE, width, at("2026-01-01"), at("2026-03-20T15:30:20"), (), is_known=False)
    found = requests_of(case)
    assert len(found) == requests
    assert (found[-1].period.starting_at, found[-1].period.ending_at) == tuple(map(at, last))
    assert all(
        each.period.ending_at - each.period.starting_at == PAGES[width] * SPANS[width]
        for each in found[:-1]
    )


@pytest.mark.parametrize("kind", [USAGE, COST, CODE], ids=lambda kind: kind.name)
def test_a_start_in_the_future_asks_nothing(kind: Stream) -> None:
    now = at("2026-03-20T15:30:20")
    for start in (at("2026-03-21"), at("2026-12-01")):
        assert requests_of(Case(kind, "1d", start, now, (), is_known=False)) == ()


def test_a_request_reads_the_same_whatever_the_range_and_the_askings() -> None:
    names = ("b", "a")
    first = Extract(USAGE, "1d", tuple(sorted(names)), at("2026-01-01"), ("x",))
    second = Extract(USAGE, "1d", tuple(sorted(names)), at("2026-02-01"), ("y", "z"))
    assert first.request == second.request
    assert first.request == '{"path": "/v1/usage", "bucket_width": "1d", "group_by": ["a", "b"]}'
    code = Extract(CODE, "1d", (), at("2026-01-01"), ("x",))
    assert code.request == '{"path": "/v1/code"}'


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (asking(0, ["a", "b"], at("2026-01-01")), []),
        (asking(0, "abcdef", at("2026-01-01")), ["usage is grouped by 6 dimensions"]),
        (asking(0, ["a", "zz"], at("2026-01-01")), ["usage can't be grouped by 'zz'"]),
        (asking(0, "", at("2026-01-01"), "1w"), ["usage has no buckets of 1w, only 1d, 1h, 1m"]),
        (asking(0, "a", at("2026-01-01"), of="code"), ["code can't be grouped by 'a'"]),
    ],
    ids=["fine", "six", "unknown", "width", "day-stream"],
)
def test_what_no_request_can_answer_is_told_with_its_place(asked: Asking, said: list[str]) -> None:
    problems = list(check_askings([USAGE, CODE], [asked]))
    assert [problem.message.partition(", and")[0] for problem in problems] == said
    assert all(problem.place == asked.place for problem in problems)
