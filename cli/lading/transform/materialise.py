"""Putting a model's rows where its older ones may stand, within a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lading.errors import Place, UserError, nearest
from lading.transform.literals import literal
from lading.transform.names import quoted
from lading.transform.standing import oldest_since

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.transform.model import Model

NEW = "new_rows"
OF_A_ZONE = "TIMESTAMP WITH TIME ZONE"
Columns = Sequence[tuple[str, str]]


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
    is_undated: bool,
    landed: Mapping[str, str],
) -> Written:
    """Put the model's rows into its relation.

    `there` is what stands under its name: 'table', 'view' or None. Unless `in_full`, an
    incremental model keeps the rows that nothing new could have changed; `landed` tells up to when
    each stream had landed as it was made before, and `is_undated` that something else changed.

    Raises:
        SqlError: caused by what DuckDB said of the model's SQL.
        UserError: it is to be made by a column that it does not have.
    """
    if model.config.is_incremental and there == "table" and not in_full:
        written = _Incremental(cursor, model, landed, is_undated=is_undated).write()
        if written is not None:
            return written
    kind = "VIEW" if model.materialized == "view" else "TABLE"
    if there not in {None, kind.lower()}:
        cursor.execute(f"DROP {there} {model.relation}")
    answer = _execute(cursor, f"CREATE OR REPLACE {kind} {model.relation} AS\n", model.sql)
    if model.config.is_incremental:
        _check_settings(model, columns_of(cursor, model.relation))
    return Written(answer if kind == "TABLE" else None)


def columns_of(cursor: DuckDBPyConnection, relation: str) -> tuple[tuple[str, str], ...]:
    """The columns of a relation that is there, with their types, in their order."""
    return tuple((row[0], row[1]) for row in cursor.execute(f"DESCRIBE {relation}").fetchall())


def _check_settings(model: Model, columns: Columns) -> None:
    names = {name.casefold() for name, _ in columns}
    asked = [("unique_key", each) for each in model.config.unique_key]
    if model.config.time_column:
        asked.append(("time_column", model.config.time_column))
    for setting, name in asked:
        if name.casefold() not in names:
            message = f"its {setting} is '{name}', and it has no such column"
            raise UserError(message, place=Place(model.file), hint=nearest(name, names))


def _execute(cursor: DuckDBPyConnection, opening: str, sql: str, closing: str = "") -> int:
    """Run `opening + sql + closing`; gives the number that it answers with, if it does."""
    import duckdb

    try:
        answer = cursor.execute(opening + sql + closing).fetchall()
    except duckdb.Error as error:
        raise SqlError(opening + sql + closing, len(opening)) from error
    return int(answer[0][0]) if answer else 0


class _Incremental:
    """Replacing what is new of a model's table."""

    def __init__(
        self,
        cursor: DuckDBPyConnection,
        model: Model,
        landed: Mapping[str, str],
        *,
        is_undated: bool,
    ) -> None:
        self._cursor = cursor
        self._model = model
        self._columns = columns_of(cursor, model.relation)
        self._oldest = oldest_since(cursor, landed)
        self._is_undated = is_undated
        self._new = f"temp.{quoted(f'{NEW}_{model.schema}_{model.name}')}"

    def write(self) -> Written | None:
        """None where that would be all of it: of an empty table, of one with other columns, or
        if what is new reaches back beyond all that is there."""
        if not self._ask(f"SELECT 1 FROM {self._model.relation} LIMIT 1"):
            return None
        _check_settings(self._model, self._columns)
        rows = self._by_key() if self._model.config.unique_key else self._by_time()
        # After an error it goes with the transaction.
        self._drop()
        return None if rows is None else Written(rows, in_full=False)

    def _by_key(self) -> int | None:
        keys = self._model.config.unique_key
        if not self._fetch(self._model.incremental_sql):
            return None
        return self._replace(self._same(keys))

    def _by_time(self) -> int | None:
        """All rows from a moment on take the place of those that are there from then on.

        A model that leaves out rows of its own accord gives no more than what is newer than what
        is there. So its rows take the place of those of the same times alone; and where an older
        slice landed anew, its SQL for all rows tells what became of that.
        """
        own = self._model.incremental_sql != self._model.sql
        if own and not self._fetch(self._model.incremental_sql):
            return None
        if own and self._is_enough():
            return self._replace(self._same([str(self._model.config.time_column)]))
        if self._is_undated:
            return self._from_first()
        start = self._start()
        if start is None:
            return None
        # Rows of no time are neither old nor new.
        moment = self._moment
        condition = f"({moment} >= {literal(start)} OR {moment} IS NULL)"
        if not self._fetch(self._model.sql, condition):
            return None
        return self._replace(f"WHERE {condition}")

    def _from_first(self) -> int | None:
        """All rows take the place of those that are there, but for ones of before the first."""
        if not self._fetch(self._model.sql):
            return None
        moment = self._moment
        first = self._ask(f"SELECT min({moment}) FROM {self._new}")
        later = "" if first is None else f" OR {moment} >= {literal(first)}"
        return self._replace(f"WHERE {moment} IS NULL{later}")

    def _is_enough(self) -> bool:
        """Whether no slice landed that is older than what the model gave."""
        if self._oldest is None:
            return True
        first = self._ask(f"SELECT min({self._moment}) FROM {self._new}")
        return first is not None and bool(first <= self._oldest)

    def _start(self) -> datetime | None:
        """The lookback before the last row, or the oldest slice that landed since, if that is
        before: a restated day is never left as it was. None if nothing there is as old."""
        last = self._ask(f"SELECT max({self._moment}) FROM {self._model.relation}")
        if last is None:
            return None
        back: datetime = last - (self._model.config.lookback or timedelta(0))
        return self._last_before(back if self._oldest is None else min(back, self._oldest))

    def _last_before(self, moment: datetime) -> datetime | None:
        """The last time that there are rows of, no later than a moment: a month that a day falls
        into goes by its first day."""
        found: datetime | None = self._ask(
            f"SELECT max({self._moment}) FROM {self._model.relation} "
            f"WHERE {self._moment} <= {literal(moment)}"
        )
        return found

    @property
    def _moment(self) -> str:
        """The time column in UTC, as SQL."""
        name = str(self._model.config.time_column)
        kinds = {column.casefold(): kind for column, kind in self._columns}
        if kinds[name.casefold()] == OF_A_ZONE:
            return f"({quoted(name)} AT TIME ZONE 'UTC')"
        return f"{quoted(name)}::TIMESTAMP"

    def _fetch(self, sql: str, condition: str = "") -> bool:
        """Put the new rows beside the table; false if their columns are others."""
        opening, closing = f"CREATE TEMP TABLE {self._new} AS\n", ""
        if condition:
            opening, closing = f"{opening}SELECT * FROM (\n", f"\n) WHERE {condition}"
        self._drop()
        _execute(self._cursor, opening, sql, closing)
        return columns_of(self._cursor, self._new) == self._columns

    def _same(self, keys: Sequence[str]) -> str:
        """Of old rows those whose keys a new one has; NULL is a key like any other."""
        pairs = (f"old.{quoted(key)} IS NOT DISTINCT FROM new.{quoted(key)}" for key in keys)
        return f"AS old USING {self._new} AS new WHERE {' AND '.join(pairs)}"

    def _replace(self, old: str) -> int:
        relation = self._model.relation
        self._cursor.execute(f"DELETE FROM {relation} {old}")
        insert = f"INSERT INTO {relation} BY NAME SELECT * FROM {self._new}"
        return int(self._ask(insert))

    def _drop(self) -> None:
        self._cursor.execute(f"DROP TABLE IF EXISTS {self._new}")

    def _ask(self, sql: str) -> Any:
        """The one value that a statement answers with; None without a row."""
        rows = self._cursor.execute(sql).fetchall()
        return rows[0][0] if rows else None
