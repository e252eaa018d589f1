from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from lading.transform import test_runs
from lading.transform.data_test import DataTest
from lading.transform.data_tests import compile_tests, location
from lading.transform.graph import load_graph
from lading.transform.kept_failures import forget_failures, save_failures, store_failures
from lading.transform.render import Renderer

if TYPE_CHECKING:
    from datetime import datetime

    from tests.engine.transform.conftest import MakeProject

# One value of each type that a column may have, and one of none.
ODD = """
    (2::hugeint ** 100)::hugeint as big, 1.10::decimal(38, 9) as cost, 0.1::double as part,
    interval '1 month 2 microseconds' as span, timestamptz '2026-01-01 00:00:00.000001+00' as at,
    ['a', NULL, 'it''s, [}'] as list, {'a b': 1::hugeint, 'c': date '2026-01-01'} as struct,
    map {'k': 2} as map, 'x'::enum ('x', 'y') as enum, '{"a": 1}'::json as payload,
    '\\xC3\\x00'::blob as bytes, uuid '00000000-0000-0000-0000-000000000001' as id,
    time '10:00' as time, NULL as nothing,
    union_value(k := 1) as either, 1 as "a ""b c", 2 as "A ""B C",
    'NULL' as word
"""

Compile = Callable[..., tuple[DataTest, Renderer]]


@pytest.fixture
def compiled(project: MakeProject, now: datetime) -> Compile:
    """Compiles a singular test by its SQL."""

    def make(sql: str, name: str = "odd") -> tuple[DataTest, Renderer]:
        read = project({f"tests/data/{name}.sql": sql})
        graph, _ = load_graph(read, now)
        (test,), problems = compile_tests(read, graph)
        assert problems == ()
        return test, graph.compiler.renderer

    return make


def test_failing_rows_outlive_the_transaction_that_they_were_found_in(
    compiled: Compile, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    test, renderer = compiled(
        "{{ config(store_failures=true) }} select n, sum(n) as total from marts.m group by n",
        "some name",
    )
    database.execute("BEGIN")
    database.execute("CREATE SCHEMA marts")
    database.execute("CREATE TABLE marts.m AS SELECT 9007199254740993 AS n")
    result = test_runs.run_test(database, test, partial(location, renderer))
    save_failures(database, test, tmp_path / "failures" / "rows.parquet")
    database.execute("ROLLBACK")
    store_failures(database, test, tmp_path / "failures" / "rows.parquet")

    assert result.outcome == "fail"
    assert result.stored == 'lading_tests."some name"'
    assert result.message == '1 failing row; see lading_tests."some name"'
    assert database.execute(f"FROM {result.stored}").fetchall() == [(9007199254740993,) * 2]
    assert database.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(1,)]


def test_rows_of_any_type_come_back_as_they_were(
    compiled: Compile, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    test, _ = compiled(f"select {ODD}")
    save_failures(database, test, tmp_path / "rows.parquet")
    store_failures(database, test, tmp_path / "rows.parquet")

    def read(sql: str) -> tuple[list[tuple[str, str]], list[tuple[str, ...]]]:
        types = database.execute(f"DESCRIBE {sql}").fetchall()
        rows = database.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({sql})").fetchall()
        # No text becomes a UNION again, and a table has no column of the type of NULL.
        return [column[:2] for column in types if column[0] not in {"nothing", "either"}], rows

    assert read("FROM lading_tests.odd") == read(f"FROM (SELECT {ODD})")


def test_the_limit_holds_for_what_is_kept_and_a_later_run_replaces_it(
    compiled: Compile, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    test, _ = compiled("select * from range(9) as t (n)")
    counts = []
    for limit in (None, 4):
        save_failures(database, replace(test, limit=limit), tmp_path / "rows.parquet")
        store_failures(database, test, tmp_path / "rows.parquet")
        counts += database.execute("SELECT count(*) FROM lading_tests.odd").fetchall()
    assert counts == [(9,), (4,)]


def test_the_table_goes_when_the_test_passes(
    compiled: Compile, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    test, renderer = compiled("{{ config(store_failures=true) }} select 1 as n where false")
    forget_failures(database, test)
    save_failures(database, test, tmp_path / "rows.parquet")
    store_failures(database, test, tmp_path / "rows.parquet")
    assert test_runs.run_test(database, test, partial(location, renderer)).stored == ""
    forget_failures(database, test)
    assert database.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_a_run_neither_begins_nor_ends_a_transaction(
    compiled: Compile, database: duckdb.DuckDBPyConnection
) -> None:
    test, renderer = compiled("from marts.m")
    database.execute("BEGIN")
    database.execute("CREATE SCHEMA marts; CREATE TABLE marts.m AS SELECT 1 AS n")
    assert test_runs.run_test(database, test, partial(location, renderer)).outcome == "fail"
    database.execute("ROLLBACK")
    result = test_runs.run_test(database, test, partial(location, renderer))
    assert (result.outcome, result.failures) == ("error", 0)
    assert str(result.place) == "tests/data/odd.sql"
    assert "marts" in result.message
    assert "\n\nLINE" not in result.message


def test_an_error_in_the_rows_that_are_shown_is_the_tests_error(
    compiled: Compile, database: duckdb.DuckDBPyConnection
) -> None:
    # To count the rows, nobody has to read the word as a number.
    test, renderer = compiled(
        "{{ config(severity='warn') }} select word::int from (values ('x')) as t (word)"
    )
    database.execute("BEGIN")
    assert test_runs.run_test(database, test, partial(location, renderer)).outcome == "error"
    with pytest.raises(duckdb.TransactionException):
        database.execute("SELECT 1")
    database.execute("ROLLBACK")
