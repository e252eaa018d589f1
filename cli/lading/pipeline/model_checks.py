"""Checks of the models: data tests on what was made, unit tests on rows that are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lading.errors import UserError
from lading.pipeline.findings import Check, Finding

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context
    from lading.pipeline.findings import CheckResult
    from lading.transform.data_test import DataTest
    from lading.transform.skeleton import Skeleton
    from lading.transform.unit_tests import UnitTest


def data_checks(context: Context, chosen: frozenset[str] | None) -> Iterator[Check]:
    """The data tests that are chosen, on what stands in the database."""
    for test in context.tests:
        node = f"test.{test.name}"
        if chosen is None or node in chosen:
            yield Check(test.name, node, partial(_data_test, context, test))


@contextmanager
def unit_checks(
    context: Context, chosen: frozenset[str] | None
) -> Iterator[tuple[tuple[Check, ...], DuckDBPyConnection | None]]:
    """The unit tests that are chosen, with the empty copy of the database that they are run in.

    Raises:
        UserError: a test names a column that is not there.
    """
    tests = tuple(
        test for test in context.unit_tests if chosen is None or f"unit_test.{test.name}" in chosen
    )
    if not tests:
        yield (), None
        return
    from lading.transform.unit_runs import unit_test_problems

    with empty_copy(context) as skeleton:
        if problems := unit_test_problems(skeleton, tests):
            raise UserError(problems=problems)
        checks = tuple(
            Check(each.name, f"unit_test.{each.name}", partial(_unit_test, skeleton, each))
            for each in tests
        )
        yield checks, skeleton.connection


@contextmanager
def empty_copy(context: Context) -> Iterator[Skeleton]:
    """The project's database without rows, in memory, with all models bound in it."""
    import duckdb

    from lading.transform.local_tables import empty_select
    from lading.transform.skeleton import skeleton

    with duckdb.connect(":memory:") as reading:
        extra = {file.relation: empty_select(reading, file) for file in context.files.values()}
    with skeleton(context.project, context.graph, extra) as made:
        yield made


def _data_test(context: Context, test: DataTest, connection: DuckDBPyConnection) -> Finding:
    from lading.transform.test_runs import run_test

    result = run_test(connection, test, context.locate)
    if result.outcome == "error" and (missing := _missing(context, test, connection)):
        return Finding("skip", f"{missing} is not made yet")
    return Finding(
        result.outcome,
        result.message,
        tuple("  ".join(row) for row in result.sample),
        result.hint,
        result.place,
        result.failures,
        result.stored,
    )


def _missing(context: Context, test: DataTest, connection: DuckDBPyConnection) -> str | None:
    """A model that a test reads and that does not stand in the database."""
    import duckdb

    for node in test.depends_on:
        model = context.graph.models.get(node.removeprefix("model."))
        try:
            if model is not None:
                connection.execute(f"DESCRIBE {model.relation}")
        except duckdb.CatalogException:
            return model.relation if model else None
    return None


def _unit_test(skeleton: Skeleton, test: UnitTest, connection: DuckDBPyConnection) -> Finding:
    from lading.transform.unit_runs import run_unit_test

    result = run_unit_test(skeleton, test)
    return Finding(result.outcome, result.message, result.lines, result.hint, result.place)


def keep_failures(context: Context, results: Sequence[CheckResult]) -> None:
    """Put the failing rows of tests that want it into their tables, and drop those of tests that
    pass now."""
    from lading.transform.kept_failures import forget_failures, save_failures, store_failures

    wanted = {test.name: test for test in context.tests if test.store_failures}
    due = [each for each in results if each.node == f"test.{each.name}" and each.name in wanted]
    if not due:
        return
    with context.database.writing() as connection, TemporaryDirectory() as folder:
        for number, each in enumerate(due):
            test = wanted[each.name]
            if each.finding.outcome == "pass":
                forget_failures(connection, test)
            elif each.finding.stored:
                path = Path(folder) / f"{number}.parquet"
                save_failures(connection, test, path)
                store_failures(connection, test, path)
