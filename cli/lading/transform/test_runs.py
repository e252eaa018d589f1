"""Running a data test: how many rows fail, what that means, and which they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import eq, ge, gt, le, lt, ne
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from lading.errors import Place
from lading.transform.data_test import DataTest
from lading.transform.kept_failures import stored_relation
from lading.transform.statements import explained

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Outcome = Literal["pass", "warn", "fail", "error"]
Row = tuple[str, ...]
# Where the character at an offset of a test's SQL was written, and a hint.
Locate = Callable[[DataTest, int], tuple[Place, str | None]]

SAMPLED_ROWS = 5
COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    ">": gt, ">=": ge, "<": lt, "<=": le, "=": eq, "==": eq, "!=": ne, "<>": ne,
}  # fmt: skip
ANY = "!= 0"


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test went.

    `failures` is the number of failing rows, no more than the test's `limit`. `sample` has the
    names of their columns and then a few of them, all as text; NULL is 'NULL'. `stored` is the
    table for the failing rows of a test with `store_failures` that did not pass. `started_at` is
    UTC.
    """

    test: DataTest
    outcome: Outcome
    failures: int
    message: str = ""
    place: Place | None = None
    hint: str | None = None
    seconds: float = 0.0
    sample: tuple[Row, ...] = ()
    stored: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement around the SQL of a test."""

    before: str
    test: str
    after: str

    @property
    def sql(self) -> str:
        return f"{self.before}{self.test}{self.after}"

    def offset(self, offset: int | None) -> int | None:
        """An offset in the statement as one in the test's SQL; None outside of it."""
        own = -1 if offset is None else offset - len(self.before)
        return own if 0 <= own <= len(self.test) else None


def run_test(cursor: DuckDBPyConnection, test: DataTest, locate: Locate) -> TestResult:
    """Count the failing rows of a test, and fetch a few of them if they are too many.

    The cursor may be in a transaction, which is neither begun nor ended here. DuckDB gives up a
    transaction in which there was an error: after the outcome 'error' nothing can be done in it
    but rolling it back. The error's place is within the file where `positions_in_errors` is
    around the run.

    `stored` and the message only name the table: `save_failures` and `store_failures` fill it.
    """
    started_at = datetime.now(UTC)
    return replace(_run(cursor, test, locate), started_at=started_at)


def _run(cursor: DuckDBPyConnection, test: DataTest, locate: Locate) -> TestResult:
    import duckdb

    started = perf_counter()
    asked = counting = _counting(test)
    try:
        failures = int(cursor.execute(counting.sql).fetchall()[0][0])
        outcome = _outcome(test, failures)
        sample: tuple[Row, ...] = ()
        if outcome != "pass" and failures:
            asked = _sampling(test)
            sample = _sample(cursor, asked.sql)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        return _failed(locate, test, error, asked, perf_counter() - started)
    if outcome == "pass":
        return TestResult(test, outcome, failures, seconds=perf_counter() - started)
    stored = stored_relation(test) if test.store_failures else ""
    return TestResult(
        test,
        outcome,
        failures,
        _message(test, outcome, failures, stored),
        test.place,
        seconds=perf_counter() - started,
        sample=sample,
        stored=stored,
    )


def _counting(test: DataTest) -> Asked:
    if test.limit is None:
        return Asked("SELECT count(*) FROM (\n", test.sql, "\n)")
    return Asked("SELECT count(*) FROM (SELECT * FROM (\n", test.sql, f"\n) LIMIT {test.limit})")


def _sampling(test: DataTest) -> Asked:
    after = f"\n{test.order}) LIMIT {SAMPLED_ROWS}"
    return Asked("SELECT COLUMNS(*)::VARCHAR FROM (\n", test.sql, after)


def _outcome(test: DataTest, failures: int) -> Outcome:
    """As in dbt: `error_if` counts for tests of severity error, and `warn_if` for the rest."""
    if test.severity == "error" and _holds(test.error_if, failures):
        return "fail"
    return "warn" if _holds(test.warn_if, failures) else "pass"


def _holds(condition: str, failures: int) -> bool:
    sign, number = condition.split()
    return COMPARISONS[sign](failures, int(number))


def _sample(cursor: DuckDBPyConnection, sql: str) -> tuple[Row, ...]:
    rows = cursor.execute(sql).fetchall()
    columns = tuple(column[0] for column in cursor.description or ())
    return (columns, *(tuple("NULL" if each is None else each for each in row) for row in rows))


def _message(test: DataTest, outcome: Outcome, failures: int, stored: str) -> str:
    many = "at least " if test.limit == failures else ""
    told = f"{many}{failures} failing row{'' if failures == 1 else 's'}"
    key, condition = ("error_if", test.error_if) if outcome == "fail" else ("warn_if", test.warn_if)
    told += "" if condition == ANY else f", and {key} is '{condition}'"
    return f"{told}; see {stored}" if stored else told


def _failed(
    locate: Locate, test: DataTest, error: Exception, asked: Asked, seconds: float
) -> TestResult:
    message, offset = explained(error, asked.sql)
    place, hint = test.place, None
    if (own := asked.offset(offset)) is not None:
        place, hint = locate(test, own)
    return TestResult(test, "error", 0, message, place, hint, seconds)
