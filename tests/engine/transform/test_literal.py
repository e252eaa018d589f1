from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.transform.files import TAKEN
from lading.transform.literals import literal
from lading.transform.names import quoted, relation

integers = st.integers(-(2**127), 2**128 - 1)
dates = st.dates(date(1, 1, 1), date(9999, 12, 31))
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - TIMESTAMP has no zone


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def read_back(connection: duckdb.DuckDBPyConnection, value: object) -> tuple[Any, str]:
    text = literal(value)
    (row,) = connection.execute(f"SELECT x, typeof(x) FROM (SELECT {text} AS x)").fetchall()
    return row[0], row[1]


@settings(deadline=None)
@given(value=st.text())
def test_any_text_comes_back(connection: duckdb.DuckDBPyConnection, value: str) -> None:
    assert read_back(connection, value) == (value, "VARCHAR")


@settings(deadline=None)
@given(value=integers)
def test_any_whole_number_comes_back(connection: duckdb.DuckDBPyConnection, value: int) -> None:
    found, kind = read_back(connection, value)
    assert (found, type(found)) == (value, int)
    assert kind.endswith(("INTEGER", "BIGINT", "HUGEINT"))


@settings(deadline=None)
@given(value=integers)
def test_a_number_after_a_minus_sign_is_no_comment(
    connection: duckdb.DuckDBPyConnection, value: int
) -> None:
    (row,) = connection.execute(f"SELECT 0-{literal(value)}::BIGNUM AS x").fetchall()
    assert int(row[0]) == -value


@settings(deadline=None)
@given(value=st.floats())
def test_any_float_comes_back_as_the_same_double(
    connection: duckdb.DuckDBPyConnection, value: float
) -> None:
    found, kind = read_back(connection, value)
    assert kind == "DOUBLE"
    assert found == value or (math.isnan(found) and math.isnan(value))
    assert math.copysign(1, found) == math.copysign(1, value) or math.isnan(value)


@settings(deadline=None)
@given(value=st.lists(st.none() | st.text(), min_size=1))
def test_any_list_of_texts_comes_back(
    connection: duckdb.DuckDBPyConnection, value: list[str | None]
) -> None:
    assert read_back(connection, value)[0] == value
    assert read_back(connection, tuple(value))[0] == value


@settings(deadline=None)
@given(value=st.lists(st.lists(st.booleans(), max_size=3), min_size=1, max_size=3))
def test_lists_of_lists_come_back(
    connection: duckdb.DuckDBPyConnection, value: list[list[bool]]
) -> None:
    assert read_back(connection, value)[0] == value


@settings(deadline=None)
@given(value=dates)
def test_any_date_comes_back(connection: duckdb.DuckDBPyConnection, value: date) -> None:
    assert read_back(connection, value) == (value, "DATE")


@settings(deadline=None)
@given(value=moments)
def test_any_moment_comes_back(connection: duckdb.DuckDBPyConnection, value: datetime) -> None:
    assert read_back(connection, value) == (value, "TIMESTAMP")


def test_a_moment_with_a_zone_becomes_utc(connection: duckdb.DuckDBPyConnection) -> None:
    moment = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    utc = datetime(2026, 2, 28, 22, 30, tzinfo=UTC).replace(tzinfo=None)
    assert read_back(connection, moment) == (utc, "TIMESTAMP")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (-1, "(-1)"),
        ("a'b", "'a''b'"),
        ([], "[]"),
        (["a", "b"], "['a', 'b']"),
    ],
)
def test_it_reads_as_a_person_would_write_it(value: object, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("value", [object(), {"a": 1}, {1}, 2**128, -(2**127) - 1, "\ud800", [{}]])
def test_what_no_literal_stands_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"no SQL literal|beyond|surrogate"):
        literal(value)


KEYWORDS = "SELECT keyword_name FROM duckdb_keywords()"


def test_every_name_can_be_a_relation(connection: duckdb.DuckDBPyConnection) -> None:
    names = {name for (name,) in connection.execute(KEYWORDS).fetchall()} - TAKEN
    names |= {"a-b", "A_1", 'a"b', "1", "a.b", "é", "a b"}
    for name in sorted(names):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")
        connection.execute(f"CREATE TABLE {relation(name, name)} AS SELECT 1 AS x")
    made = "SELECT table_name FROM duckdb_tables() WHERE schema_name = table_name"
    assert {name for (name,) in connection.execute(made).fetchall()} == names


def test_only_what_needs_quotes_gets_them() -> None:
    assert relation("marts", "usage_by_day") == "marts.usage_by_day"
    assert relation("Order", "by-day") == '"Order"."by-day"'
    assert quoted('a"b') == '"a""b"'
