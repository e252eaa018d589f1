"""When the plan asks for a list: a pure function of its age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import Place
from lading.extract.plan import Period, Request, Scope, plan, whole_list
from lading.extract.streams import SNAPSHOT, Stream

NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
MAX_AGE = timedelta(hours=6)
PLACE = Place("sources/lookups.yml", 7)
USERS = Stream(
    connection="anthropic",
    name="users",
    path="/v1/users",
    iterate="snapshot",
    widths=(SNAPSHOT,),
    dimensions=(),
    most_dimensions=0,
    page_sizes={SNAPSHOT: 1000},
    beta={},
    has_current_period=True,
    lookback=timedelta(days=3),
    place=PLACE,
    query={"active": "true"},
    max_age=MAX_AGE,
)
ASKINGS = (whole_list("users", "staging", PLACE), whole_list("users", "marts", PLACE))
KEY = ("anthropic", "users", '{"path": "/v1/users", "active": "true"}')


def requests(age: timedelta | None, scope: Scope | None = None) -> list[Request]:
    landed = {} if age is None else {KEY: [Period(NOW - age, NOW - age)]}
    return list(plan([USERS], ASKINGS, landed, NOW, scope or Scope()).requests)


def test_it_is_asked_for_once_whoever_reads_it() -> None:
    (request,) = requests(None)
    assert (request.period, request.reason) == (Period(NOW, NOW), "new")
    assert request.extract.key == KEY
    assert request.extract.serves == ("staging", "marts")


def test_nobody_reads_it_and_nothing_is_asked() -> None:
    assert plan([USERS], [], {}, NOW).extracts == ()


@given(st.timedeltas(timedelta(days=-3), timedelta(days=3)))
def test_it_is_asked_for_again_when_it_is_too_old_or_of_the_future(age: timedelta) -> None:
    found = [each.reason for each in requests(age)]
    assert found == ([] if timedelta(0) <= age < MAX_AGE else ["stale"])


@pytest.mark.parametrize(
    ("scope", "reasons"),
    [
        (Scope(refresh=True), ["forced"]),
        (Scope(recheck=timedelta(days=35)), []),
        (Scope(streams=frozenset({"cost_report"})), []),
        # A backfill of the past, or of the future, is not about how things are now.
        (Scope(end=NOW - timedelta(days=9), refresh=True), []),
        (Scope(start=NOW + timedelta(days=1), refresh=True), []),
        (Scope(start=NOW - timedelta(days=9), refresh=True), ["forced"]),
    ],
)
def test_what_a_person_may_ask_for(scope: Scope, reasons: list[str]) -> None:
    assert [each.reason for each in requests(timedelta(hours=1), scope)] == reasons


def test_another_query_is_another_list() -> None:
    other = {("anthropic", "users", '{"path": "/v1/users"}'): [Period(NOW, NOW)]}
    (request,) = plan([USERS], ASKINGS, other, NOW).requests
    assert request.reason == "new"
