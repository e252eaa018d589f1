"""Lists in the spool, in the database, and as no list should be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lading.errors import DatabaseError, Place
from lading.extract.landing import land
from lading.extract.plan import whole_list
from lading.extract.run import recover
from lading.extract.spool import Arrival, Spool
from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench

RUN = "20260320T120000-abcdef"
REQUEST = '{"path": "/v1/organizations/users"}'
SOURCES = """\
sources:
  - name: claude
    connection: anthropic
    streams:
      - {name: users, path: /users, iterate: snapshot, page_size: 2}
      - {name: organization, path: /me, iterate: snapshot}
"""
PLACE = Place("sources/claude.yml", 5)


@pytest.fixture
def shop(make_bench: Callable[..., Bench]) -> Bench:
    """A database with a table for users, and nobody to ask."""
    bench = make_bench("http://127.0.0.1:9")
    with bench.database.writing() as connection:
        prepare(connection, ["users"])
    return bench


def arrive(shop: Bench, number: int, *users: str, connection: str = "anthropic") -> Arrival:
    """A list of the given users, asked for at so many o'clock, in the spool."""
    spool = Spool(shop.database.spool, RUN)
    name = f"{RUN}-{number:06d}"
    moment = f"2026-03-20T{number:02d}:00:00"
    pages = [json.dumps({"id": user, "seen": number}).encode() for user in users]
    arrival = Arrival(
        request_id=name,
        run_id=RUN,
        connection=connection,
        stream="users",
        request=REQUEST,
        reason="stale",
        starting_at=moment,
        ending_at=moment,
        slice_seconds=6 * 3600,
        closes_at="2026-03-17T00:00:00",
        asked_at=moment,
        fetched_at=moment,
        files=(spool.write_page(f"{name}-00000", pages),),
        records=len(users),
        size=100,
        retries=0,
        largest=50,
        left_out=(),
        organization="",
    )
    spool.arrived(arrival)
    return arrival


def there(shop: Bench) -> list[tuple[Any, ...]]:
    return shop.query(
        "SELECT payload ->> '$.id', payload ->> '$.seen', hour(starting_at) "
        "FROM raw.users ORDER BY 1"
    )


def gone(shop: Bench) -> list[tuple[Any, ...]]:
    return shop.query(
        "SELECT id, payload ->> '$.seen', hour(last_seen_at), hour(vanished_at) "
        "FROM lading.vanished ORDER BY 1"
    )


def test_what_runs_that_died_had_received_lands_in_its_order(shop: Bench) -> None:
    arrive(shop, 1, "a", "b", "c")
    arrive(shop, 2, "a", "c")
    arrive(shop, 3, "c", "b")
    assert recover(shop.database) == 7
    assert there(shop) == [("b", "3", 3), ("c", "3", 3)]
    assert gone(shop) == [("a", "2", 2, 3)]
    # It lasts until another one is due.
    assert shop.query(
        "SELECT hour(starting_at), hour(ending_at), records, closed FROM lading.slices"
    ) == [(3, 9, 2, True)]


def test_several_of_one_transaction_land_in_their_order(shop: Bench) -> None:
    arrivals = [arrive(shop, 2, "b"), arrive(shop, 1, "a")]
    with shop.database.writing() as connection:
        assert land(connection, arrivals) == 2
    assert there(shop) == [("b", "2", 2)]
    assert gone(shop) == [("a", "1", 1, 2)]


def test_an_empty_list_leaves_nothing_but_those_who_left(shop: Bench) -> None:
    with shop.database.writing() as connection:
        land(connection, [arrive(shop, 1, "a", "b"), arrive(shop, 2)])
    assert there(shop) == []
    assert gone(shop) == [("a", "1", 1, 2), ("b", "1", 1, 2)]
    assert shop.query("SELECT hour(starting_at), records FROM lading.slices") == [(2, 0)]


def test_landing_again_changes_nothing(shop: Bench) -> None:
    arrivals = [arrive(shop, 1, "a", "b"), arrive(shop, 2, "b")]
    for arrival in (arrivals[0], arrivals[1], arrivals[0]):
        with shop.database.writing() as connection:
            land(connection, [arrival])
    assert there(shop) == [("b", "2", 2)]
    assert gone(shop) == [("a", "1", 1, 2)]


def test_a_list_lands_as_a_whole_or_not_at_all(shop: Bench) -> None:
    with shop.database.writing() as connection:
        land(connection, [arrive(shop, 1, "a", "b")])
    before = there(shop)
    torn = replace(arrive(shop, 2, "b", "c"), records=3)
    with shop.database.writing() as connection, pytest.raises(DatabaseError, match="3 records"):
        land(connection, [torn])
    assert (there(shop), gone(shop)) == (before, [])
    assert shop.query("SELECT hour(starting_at) FROM lading.slices") == [(1,)]


def test_connections_have_lists_of_their_own(shop: Bench) -> None:
    with shop.database.writing() as connection:
        land(connection, [arrive(shop, 1, "a"), arrive(shop, 2, "b", connection="eu")])
        land(connection, [arrive(shop, 3, "c", connection="eu")])
    assert there(shop) == [("a", "1", 1), ("c", "3", 3)]
    assert gone(shop) == [("b", "2", 2, 3)]


Answers = dict[str, list[dict[str, Any]]]


@pytest.fixture
def answering(make_bench: Callable[..., Bench]) -> Iterator[Callable[[Answers], Bench]]:
    """Benches of a server that gives these answers, each path's in their order."""
    servers: list[StandIn] = []

    def make(answers: Answers) -> Bench:
        left = {path: iter(pages) for path, pages in answers.items()}

        def handle(request: Request) -> Response:
            answer = next(left[request.path])
            return json_response(400 if "error" in answer else 200, answer)

        servers.append(StandIn("lists", handle, Faults()).start())
        bench = make_bench(servers[-1].base_url)
        bench.write(SOURCES)
        return bench

    yield make
    for server in servers:
        server.stop()
        assert server.failures == []


def page(*users: Any, more: bool | None = False, last: str | None = None) -> dict[str, Any]:
    data = [{"id": user} for user in users]
    return {"data": data, "has_more": more, "last_id": last}


def test_the_last_page_names_its_last_member_and_ends_all_the_same(
    answering: Callable[[Answers], Bench],
) -> None:
    bench = answering({"/users": [page("a", "b", more=True, last="b"), page("c", last="c")]})
    done = bench.extract([whole_list("users", "test", PLACE)])
    assert (done.failed, done.extraction.http_requests) == (frozenset(), 2)
    rows = bench.query("SELECT ordinal, payload ->> '$.id' FROM raw.users ORDER BY 1")
    assert rows == [(0, "a"), (1, "b"), (2, "c")]


def test_a_list_that_is_too_dense_begins_anew_with_smaller_pages(
    answering: Callable[[Answers], Bench],
) -> None:
    dense = {"error": {"type": "invalid_request_error", "message": "Response too large"}}
    whole = [page("a", more=True, last="a"), page("b", more=True, last="b"), page("c", last="c")]
    bench = answering({"/users": [page("a", "b", more=True, last="b"), dense, *whole]})
    done = bench.extract([whole_list("users", "test", PLACE)])
    assert (done.failed, done.extraction.http_requests) == (frozenset(), 5)
    rows = bench.query("SELECT ordinal, payload ->> '$.id' FROM raw.users ORDER BY 1")
    assert rows == [(0, "a"), (1, "b"), (2, "c")]


@pytest.mark.parametrize(
    ("stream", "answers", "said"),
    [
        ("users", [page("a", more=True, last="a"), page("b", "a")], "a is in the list twice"),
        ("users", [page("a", "a")], "a is in the list twice"),
        ("users", [page("a", None)], "a member without an id"),
        ("users", [page("a", more=True)] * 3, "there is more, and not where"),
        ("users", [page("a", more=None)] * 3, "does not say whether there is more"),
        ("users", [{"users": []}] * 3, "does not parse"),
        ("organization", [["a"]] * 3, "does not parse"),
        ("organization", [{"error": {"type": "x", "message": "Response too large"}}], "too large"),
        ("organization", [{"name": "Nobody"}], "a member without an id"),
    ],
)
def test_what_is_no_list_does_not_land(
    answering: Callable[[Answers], Bench], stream: str, answers: Any, said: str
) -> None:
    bench = answering({"/users": answers, "/me": answers})
    done = bench.extract([whole_list(stream, "test", PLACE)])
    assert done.failed == {stream}
    (error,) = bench.query("SELECT error FROM lading.requests")
    assert said in error[0]
    assert bench.query(f"SELECT count(*) FROM raw.{stream}") == [(0,)]
    assert bench.spooled() == []
