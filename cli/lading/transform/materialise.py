"""Putting a model's rows where its older ones may stand, within a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lading.transform.literals import literal
from lading.transform.names import quoted
from lading.transform.standing import oldest_since

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.transform.model import Model

NEW = "new_rows"


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it: `rows` that were written (None for a view), and whether they are all."""

    rows: int | None
    in_full: bool = True


class SqlError(Exception):
    """DuckDB refused a model's own SQL, which begins at `offset` of the statement `sql`."""

    def __init__(self, sql: str, offset: int) -> None:
        super().__init__(sql)
        self.sql = sql
        self.offset = offset


def materialise(
    cursor: DuckDBPyConnection,
    model: Model,
    there: str | None,
    *,
    in_full: bool,
    landed: Mapping[str, str],
) -> Written:
    """Put the model's rows into its relation.

    `there` is what stands under its name: 'table', 'view' or None. Unless `in_full`, an
    incremental model keeps the rows that nothing new could have changed; `landed` tells up to when
    each stream had landed as it was made before.

    Raises:
        SqlError: caused by what DuckDB said of the model's SQL.
    """
    if model.config.is_incremental and there == "table" and not in_full:
        written = _append(cursor, model, landed)
        if written is not None:
            return written
    kind = "VIEW" if model.materialized == "view" else "TABLE"
    if there not in {None, kind.lower()}:
        cursor.execute(f"DROP {there} {model.relation}")
    answer = _execute(cursor, f"CREATE OR REPLACE {kind} {model.relation} AS\n", model.sql)
    return Written(answer if kind == "TABLE" else None)


def _execute(cursor: DuckDBPyConnection, opening: str, sql: str) -> int:
    """Run `opening + sql`; gives the number that it answers with, if it does."""
    import duckdb

    try:
        answer = cursor.execute(opening + sql).fetchall()
    except duckdb.Error as error:
        raise SqlError(opening + sql, len(opening)) from error
    return int(answer[0][0]) if answer else 0


def _append(cursor: DuckDBPyConnection, model: Model, landed: Mapping[str, str]) -> Written | None:
    """Replace what is new; None if its columns are others than those that are there."""
    new = f"{NEW}_{model.schema}_{model.name}"
    table = quoted(new)
    cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
    _execute(cursor, f"CREATE TEMP TABLE {table} AS\n", model.incremental_sql)
    try:
        if _columns(cursor, f"temp.{table}") != _columns(cursor, model.relation):
            return None
        if model.config.unique_key:
            rows = _by_key(cursor, model, f"temp.{table}")
        else:
            rows = _by_time(cursor, model, f"temp.{table}", landed)
        return Written(rows, in_full=False)
    finally:
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _columns(cursor: DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in cursor.execute(f"DESCRIBE {relation}").fetchall()]


def _by_key(cursor: DuckDBPyConnection, model: Model, new: str) -> int:
    """Rows of the same key take the place of the old ones; NULL is a key like any other."""
    same = " AND ".join(
        f"old.{quoted(key)} IS NOT DISTINCT FROM new.{quoted(key)}"
        for key in model.config.unique_key
    )
    cursor.execute(f"DELETE FROM {model.relation} AS old USING {new} AS new WHERE {same}")
    return _insert(cursor, model, new)


def _by_time(cursor: DuckDBPyConnection, model: Model, new: str, landed: Mapping[str, str]) -> int:
    """All rows from a moment on take the place of those that are there from then on."""
    column = quoted(str(model.config.time_column))
    start = _start(cursor, model, column, landed)
    if start is None:
        cursor.execute(f"DELETE FROM {model.relation}")
        return _insert(cursor, model, new)
    if model.incremental_sql != model.sql:
        # What its SQL leaves out of itself is not new, and must not be taken away.
        first = cursor.execute(f"SELECT min({column}::TIMESTAMP) FROM {new}").fetchall()[0][0]
        if first is None:
            return 0
        start = max(start, first)
    condition = f"{column}::TIMESTAMP >= {literal(start)}"
    cursor.execute(f"DELETE FROM {model.relation} WHERE {condition}")
    return _insert(cursor, model, new, f" WHERE {condition}")


def _start(
    cursor: DuckDBPyConnection, model: Model, column: str, landed: Mapping[str, str]
) -> datetime | None:
    """The lookback before the last row, or the oldest slice that landed since, if that is before:
    a restated day is never left as it was. None if there is no row yet."""
    last = cursor.execute(f"SELECT max({column}::TIMESTAMP) FROM {model.relation}").fetchall()[0][0]
    if last is None:
        return None
    back: datetime = last - (model.config.lookback or timedelta(0))
    oldest = oldest_since(cursor, landed)
    return back if oldest is None else min(back, oldest)


def _insert(cursor: DuckDBPyConnection, model: Model, new: str, condition: str = "") -> int:
    sql = f"INSERT INTO {model.relation} BY NAME SELECT * FROM {new}{condition}"
    return int(cursor.execute(sql).fetchall()[0][0])
