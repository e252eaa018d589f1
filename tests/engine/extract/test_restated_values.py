"""Which changes of a day's records count: a day each, in bodies written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench

FIRST_DAY = datetime(2026, 2, 21, tzinfo=UTC)
Moved = dict[str, tuple[str, str]]
Sums = dict[str, tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Case:
    """What a day's report had, and has then; without their braces and dates."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    is_restated: bool = False
    moved: Moved = field(default_factory=dict)


SAME = {
    "bytes": Case(('"n":1',), ('"n":1',)),
    "order of records": Case(('"n":1', '"n":2', '"n":2'), ('"n":2', '"n":1', '"n":2')),
    "order of keys": Case(('"o":{"p":1,"q":{"r":2,"s":3}}',), ('"o":{"q":{"s":3,"r":2},"p":1}',)),
    "order of rows": Case(
        ('"l":[{"m":"a","n":1},{"m":"b"}]',), ('"l":[{"m":"b"},{"n":1,"m":"a"}]',)
    ),
    "white space": Case(('"n":1,"l":[1,2]',), (' "n" :\n 1 , "l" : [ 1, 2 ]',)),
    "zeros at a fraction's end": Case(('"n":1.5,"m":2,"z":10',), ('"n":1.500,"m":2.0,"z":10.00',)),
    "characters that are escaped": Case(('"t":"\\u00fc\\/\\"1\\""',), ('"t":"ü/\\"\\u0031\\""',)),
    "a key that is there twice": Case(('"n":1,"n":2,"m":3',), ('"m":3,"n":1,"n":2',)),
}
OTHER = {
    "a figure": Case(('"a":{"n":1}',), ('"a":{"n":2}',), True, {"a.n": ("1", "2")}),
    "a record more": Case(('"n":1',), ('"n":1', '"n":1'), True, {"n": ("1", "2")}),
    "all records gone": Case(('"n":1', '"n":3'), (), True, {"n": ("4", "0")}),
    "records of an empty day": Case((), ('"n":-1',), True, {"n": ("0", "-1")}),
    "rows that swap a figure": Case(
        ('"l":[{"m":"a","n":1},{"m":"b","n":2}]',), ('"l":[{"m":"a","n":2},{"m":"b","n":1}]',), True
    ),
    "records that swap a figure": Case(
        ('"m":"a","n":1', '"m":"b","n":2'), ('"m":"a","n":2', '"m":"b","n":1'), True
    ),
    "a name": Case(('"m":"a","n":1',), ('"m":"b","n":1',), True),
    "a key that is new": Case(('"n":1',), ('"n":1,"speed":null',), True),
    "an empty object for nothing": Case(('"n":1,"o":{}',), ('"n":1',), True),
    "text for a number": Case(('"n":1,"m":"2"',), ('"n":"1","m":"2"',), True, {"n": ("1", "0")}),
    "text that looks like a marked number": Case(
        ('"t":":1"',), ('"t":1',), True, {"t": ("0", "1")}
    ),
    "a digit that no double holds": Case(
        ('"n":0.12345678901234567891,"big":9007199254740993',),
        ('"n":0.12345678901234567892,"big":9007199254740992',),
        True,
        {
            "n": ("0.12345678901234567891", "0.12345678901234567892"),
            "big": ("9007199254740993", "9007199254740992"),
        },
    ),
    "amounts in text": Case(
        ('"cost":{"amount":"0.1","note":"7"}', '"cost":{"amount":"0.2"}'),
        ('"cost":{"amount":"0.1","note":"8"}', '"cost":{"amount":"100000000000.000000000000003"}'),
        True,
        {"cost.amount": ("0.3", "100000000000.100000000000003")},
    ),
    "numbers with an exponent": Case(('"n":15e-1',), ('"n":1.25E+2',), True, {"n": ("1.5", "125")}),
    "sums of lists": Case(
        ('"l":[{"n":1,"k":[5,6]},{"n":2}]', '"l":[{"n":4}]'),
        ('"l":[{"n":1,"k":[5,6]},{"n":2}]', '"l":[{"n":5,"k":[1]}]'),
        True,
        {"l.n": ("7", "8"), "l.k": ("11", "12")},
    ),
    "numbers that are names": Case(
        ('"id":812345678901234567', '"id":812345678901234568,"n":1'),
        ('"id":812345678901234569', '"id":812345678901234568,"n":2'),
        True,
        {"n": ("1", "2")},
    ),
    "numbers without an end": Case(
        (f'"big":{"9" * 60},"n":1,"huge":1e999',),
        (f'"big":{"8" * 60},"n":2,"huge":2e999',),
        True,
        {"n": ("1", "2")},
    ),
}
CASES = {**SAME, **OTHER}
Days = dict[str, bytes]


class Reports:
    """Answers with one day's page, of the reports as they are at the moment."""

    def __init__(self) -> None:
        self.days: Days = {}

    def __call__(self, request: Request) -> Response:
        day = dict(request.query)["starting_at"][:10]
        return json_response(200, self.days.get(day, page()))


def page(*records: str) -> bytes:
    return f'{{"data":[{",".join(records)}],"has_more":false,"next_page":null}}'.encode()


def day_of(name: str) -> datetime:
    return FIRST_DAY + timedelta(days=list(CASES).index(name))


def report(day: datetime, records: tuple[str, ...]) -> bytes:
    return page(*(f'{{"date":"{day:%Y-%m-%d}",{each}}}' for each in records))


@dataclass(frozen=True)
class Twice:
    """Two runs, between which each case's day became another."""

    restated: dict[datetime, Sums]
    history: dict[datetime, int]


@pytest.fixture(scope="module")
def seen() -> dict[str, Twice]:
    """What the first test found, for all: one pair of runs serves all cases."""
    return {}


@pytest.fixture
def twice(seen: dict[str, Twice], make_bench: Callable[..., Bench]) -> Twice:
    if "it" not in seen:
        reports = Reports()
        with StandIn("reports", reports, Faults()) as server:
            bench = make_bench(server.base_url, now=FIRST_DAY + timedelta(days=len(CASES) + 3))
            for side in ("before", "after"):
                reports.days = {
                    f"{day_of(name):%Y-%m-%d}": report(day_of(name), getattr(case, side))
                    for name, case in CASES.items()
                }
                assert (
                    bench.extract([bench.ask("claude_code", FIRST_DAY)], refresh=True).failed
                    == set()
                )
        seen["it"] = Twice(
            restated(bench),
            dict(
                bench.query(
                    "SELECT starting_at, count(*) FROM raw_history.claude_code GROUP BY ALL"
                )
            ),
        )
    return seen["it"]


def restated(bench: Bench) -> dict[datetime, Sums]:
    rows: list[tuple[Any, ...]] = bench.query(
        "SELECT starting_at, figures FROM lading.restatements"
    )
    return {
        start: {each["field"]: (each["before"], each["after"]) for each in figures}
        for start, figures in rows
    }


@pytest.mark.parametrize("name", SAME)
def test_other_bytes_for_the_same_values_are_no_restatement(twice: Twice, name: str) -> None:
    start = day_of(name).replace(tzinfo=None)
    assert start not in twice.restated
    assert start not in twice.history


@pytest.mark.parametrize("name", OTHER)
def test_other_values_are_a_restatement(twice: Twice, name: str) -> None:
    start = day_of(name).replace(tzinfo=None)
    case = CASES[name]
    assert twice.restated[start] == {
        key: (Decimal(before), Decimal(after)) for key, (before, after) in case.moved.items()
    }
    assert twice.history.get(start, 0) == len(case.before)
