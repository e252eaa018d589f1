"""The built-in tests against Python's own counting, on rows of any kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.transform.generic_tests import (
    Relation,
    accepted_values,
    relationships,
    sum_equals,
    unique,
)
from lading.transform.statements import read_statement

KEYS = st.sampled_from(["a", "b", "c", None])
NUMBERS = st.none() | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1, 2**62])
CENTS = st.none() | st.decimals(-9, 9, places=9) | st.just(Decimal("12345678901234.123456789"))
ROWS = st.lists(st.tuples(KEYS, KEYS, NUMBERS, CENTS), max_size=8)
HERE, THERE = Relation("here", "main.here"), Relation("there", "main.there")
COLUMNS = "(k VARCHAR, l VARCHAR, tokens BIGINT, cost DECIMAL(38, 9))"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"CREATE TABLE here {COLUMNS}")
        connection.execute(f"CREATE TABLE there {COLUMNS}")
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    connection.execute(f"DELETE FROM {table}")
    for row in rows:
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", row)


def asked(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    assert read_statement(sql).faults == ()
    return connection.execute(sql).fetchall()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_unique(connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> None:
    fill(connection, "here", rows)
    of_one = Counter(row[0] for row in rows if row[0] is not None)
    of_two = Counter(row[:2] for row in rows)

    found = asked(connection, unique(HERE, "k"))
    assert Counter(dict(found)) == Counter({key: n for key, n in of_one.items() if n > 1})
    found = asked(connection, unique(HERE, columns=("k", "l")))
    assert {row[:2]: row[2] for row in found} == {key: n for key, n in of_two.items() if n > 1}


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, others=ROWS)
def test_values_that_are_not_there(
    connection: duckdb.DuckDBPyConnection,
    rows: list[tuple[Any, ...]],
    others: list[tuple[Any, ...]],
) -> None:
    fill(connection, "here", rows)
    fill(connection, "there", others)
    counted = Counter(row[0] for row in rows if row[0] is not None)
    there = {row[1] for row in others}

    found = asked(connection, accepted_values(HERE, "k", ["a", "x"]))
    assert dict(found) == {key: n for key, n in counted.items() if key != "a"}
    found = asked(connection, relationships(HERE, "k", THERE, "l"))
    assert dict(found) == {key: n for key, n in counted.items() if key not in there}


def sums(rows: list[tuple[Any, ...]], column: int) -> dict[Any, Decimal]:
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row[:2]] += row[column] or 0
    return found


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, others=ROWS, shared=ROWS)
def test_sums_are_compared_exactly(
    connection: duckdb.DuckDBPyConnection,
    rows: list[tuple[Any, ...]],
    others: list[tuple[Any, ...]],
    shared: list[tuple[Any, ...]],
) -> None:
    fill(connection, "here", rows + shared)
    fill(connection, "there", shared + others)
    expected = {}
    for column, figure in [(2, "tokens"), (3, "cost")]:
        mine, theirs = sums(rows + shared, column), sums(shared + others, column)
        for key in mine.keys() | theirs.keys():
            if mine[key] != theirs[key]:
                expected[*key, figure] = (mine[key], theirs[key])

    pairs = {"tokens": "tokens", "cost": "cost"}
    found = asked(connection, sum_equals(HERE, THERE, pairs, {"k": "k", "l": "l"}))

    assert {row[:3]: tuple(Decimal(each or 0) for each in row[3:]) for row in found} == expected
    assert len(found) == len(expected)
