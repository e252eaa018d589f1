"""Roll-ups on a real database: figures worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.building import build

from lading.errors import Place

if TYPE_CHECKING:
    import duckdb
    from tests.engine.transform.conftest import MakeGraph


def utc(*parts: int) -> datetime:
    """A moment as DuckDB gives a TIMESTAMP."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type, misc]


# Sunday 28 December 2025 ends the week of Monday the 22nd; Thursday 1 January 2026 is in the
# week of Monday 29 December.
USAGE = """
    select * from (values
        (TIMESTAMP '2025-12-28 23:59:59', 'w1', 'opus',   10::BIGINT, 0.10::DECIMAL(18, 2)),
        (TIMESTAMP '2025-12-29 00:00:00', 'w1', 'opus',   20,         0.20),
        (TIMESTAMP '2026-01-01 10:15:30', 'w1', 'sonnet', 30,         0.30),
        (TIMESTAMP '2026-01-01 10:59:59', NULL, 'opus',   40,         NULL),
        (TIMESTAMP '2026-01-04 23:00:00', NULL, NULL,     50,         0.50),
        (NULL,                            'w2', 'haiku',  60,         0.60)
    ) as t (starting_at, workspace_id, model, tokens, cost_usd)
"""
W1 = {
    "minute": [
        (utc(2025, 12, 28, 23, 59), 10),
        (utc(2025, 12, 29, 0, 0), 20),
        (utc(2026, 1, 1, 10, 15), 30),
    ],
    "hour": [
        (utc(2025, 12, 28, 23), 10),
        (utc(2025, 12, 29, 0), 20),
        (utc(2026, 1, 1, 10), 30),
    ],
    "day": [(date(2025, 12, 28), 10), (date(2025, 12, 29), 20), (date(2026, 1, 1), 30)],
    "week": [(date(2025, 12, 22), 10), (date(2025, 12, 29), 50)],
    "month": [(date(2025, 12, 1), 30), (date(2026, 1, 1), 30)],
}


def files(*rollups: str) -> dict[str, str]:
    entries = "".join(f"  - {rollup}\n" for rollup in rollups)
    described = "  - {name: usage, columns: [{name: starting_at, data_type: TIMESTAMP}]}\n"
    return {"models/m/usage.sql": USAGE, "models/m/m.yml": f"models:\n{described}{entries}"}


def rows(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection, name: str, *rollups: str
) -> list[Any]:
    results = build(graph(files(*rollups)), database)
    assert [result.message for result in results if result.status != "ok"] == []
    return database.execute(f"FROM m.{name}").fetchall()


@pytest.mark.parametrize("every", list(W1))
def test_each_period_begins_where_the_calendar_says(
    every: str, graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    rollup = f"rollup: {{from: usage, every: {every}, sum: tokens, where: workspace_id = 'w1'}}"
    assert rows(graph, database, "r", f"{{name: r, {rollup}}}") == W1[every]


def test_rows_without_a_time_or_a_key_are_kept(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    rollup = "rollup: {from: usage, every: month, by: [workspace_id], sum: [tokens, cost_usd]}"
    assert rows(graph, database, "r", f"{{name: r, {rollup}}}") == [
        (date(2025, 12, 1), "w1", 30, Decimal("0.30")),
        (date(2026, 1, 1), "w1", 30, Decimal("0.30")),
        (date(2026, 1, 1), None, 90, Decimal("0.50")),
        (None, "w2", 60, Decimal("0.60")),
    ]


def test_a_column_may_be_summed_and_compared_at_once(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    keys = "sum: tokens, count_distinct: [model, tokens], min: tokens, max: [tokens, starting_at]"
    found = rows(graph, database, "r", f"{{name: r, rollup: {{from: usage, {keys}}}}}")
    assert found == [(210, 3, 6, 10, 60, utc(2026, 1, 4, 23))]
    names = [each[0] for each in database.execute("DESCRIBE m.r").fetchall()]
    assert names == [
        "tokens", "distinct_model", "distinct_tokens", "min_tokens", "max_tokens",
        "max_starting_at",
    ]  # fmt: skip


def test_a_sum_beyond_bigint_is_exact(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    made = {
        "models/m/large.sql": "select unnest([9223372036854775807, 9223372036854775807]) as tokens",
        "models/m/m.yml": "models: [{name: r, rollup: {from: large, sum: tokens}}]",
    }
    build(graph(made), database)
    assert database.execute("FROM m.r").fetchall() == [(18446744073709551614,)]


def test_a_rollup_of_a_rollup_says_the_same_as_one_of_the_rows(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    found = rows(
        graph, database, "weeks",
        "{name: weeks, rollup: {from: hours, every: week, sum: tokens}}",
        "{name: hours, rollup: {from: usage, every: hour, by: workspace_id, sum: tokens}}",
    )  # fmt: skip
    assert found == [(date(2025, 12, 22), 10), (date(2025, 12, 29), 140), (None, 60)]


def test_periods_of_a_time_with_a_zone_are_those_of_utc(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    made = {
        "models/m/zoned.sql": "select TIMESTAMPTZ '2026-01-01 00:30:00+02:00' as seen, 1 as x",
        "models/m/m.yml": """
            models:
              - {name: zoned, columns: [{name: seen, data_type: TIMESTAMPTZ}]}
              - {name: r, rollup: {from: zoned, every: day, time: seen, sum: x}}
            """,
    }
    database.execute("SET TimeZone = 'Asia/Tokyo'")
    build(graph(made), database)
    assert database.execute("FROM m.r").fetchall() == [(date(2025, 12, 31), 1)]


@pytest.mark.parametrize(
    ("line", "message", "place"),
    [
        ("by: [workspace_id, modle]", "there is no column 'modle'", (8, 26)),
        ("sum: tokns", "there is no column 'tokns'", (8, 12)),
        ("sum: [workspace_id]", "sum(VARCHAR)", (8, 13)),
        ("where: tokns > 1", "there is no column 'tokns'", (8, 14)),
        ("time: ends", "there is no column 'ends'", (8, 13)),
    ],
)
def test_what_duckdb_finds_is_told_where_it_is_declared(
    line: str,
    message: str,
    place: tuple[int, int],
    graph: MakeGraph,
    database: duckdb.DuckDBPyConnection,
) -> None:
    text = (
        "models:\n"
        "  - name: usage\n"
        "    columns: [{name: starting_at}]\n"
        "  - name: r\n"
        "    rollup:\n"
        "      from: usage\n"
        f"      {'every: day' if 'time' in line else 'max: tokens'}\n"
        f"      {line}\n"
    )
    results = build(graph({"models/m/usage.sql": USAGE, "models/m/m.yml": text}), database)
    (failed,) = [result for result in results if result.status == "error"]
    assert message in failed.message
    assert failed.place == Place("models/m/m.yml", *place)
