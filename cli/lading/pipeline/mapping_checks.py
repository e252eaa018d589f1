"""Checks of the mappings: their tests, which need neither the project's database nor any key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from lading.errors import MappingError, Problem, UserError
from lading.mapping.entity_diffs import compared
from lading.mapping.mapping_tests import MappingTest, read_mapping_tests
from lading.mapping.records import split_records
from lading.pipeline.findings import Check, Finding
from lading.pipeline.playground import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from lading.mapping.workers import Workers
    from lading.pipeline.context import Context


@contextmanager
def mapping_checks(
    context: Context, chosen: frozenset[str] | None
) -> Iterator[tuple[tuple[Check, ...], DuckDBPyConnection | None]]:
    """The mapping tests that are chosen. They need no database: the one that comes with them is
    empty."""
    tests = [
        test
        for test in read_mapping_tests(context.project, context.resources)[0]
        if chosen is None or test.node in chosen
    ]
    if not tests:
        yield (), None
        return
    import duckdb

    root, workers = context.project.root, context.jq
    with duckdb.connect(":memory:") as empty:
        checks = (
            Check(each.name, each.node, partial(_look, each, root, workers)) for each in tests
        )
        yield tuple(checks), empty
    workers.rest()


def _look(
    test: MappingTest, root: Path, workers: Workers, connection: DuckDBPyConnection
) -> Finding:
    return run_mapping_test(test, root, workers)


def run_mapping_test(test: MappingTest, root: Path, workers: Workers) -> Finding:
    """What differs between the entities that are expected and those that the records become."""
    from lading.mapping.evaluate import Mapped, evaluate

    if isinstance(test.resource, Problem):
        return _error(test.resource)
    tally = Tally()
    entities: list[Mapping[str, Any]] = []
    try:
        for outcome in evaluate(test.resource, _records(test, root), workers):
            tally.take(outcome)
            if isinstance(outcome, Mapped):
                entities.append(outcome.entity.value())
    except (UserError, MappingError) as error:
        return _error(error.problems[0])
    expected = test.expected
    wanted = expected.get("entities", entities)
    found = compared(wanted, entities, whole=expected.get("whole", False))
    said = [*([found.summary] if found.lines else []), *_other_differences(expected, tally)]
    if not said:
        return Finding("pass")
    lines = (*found.lines, *tally.selector_errors)
    return Finding("fail", "; ".join(said), lines, place=test.place)


def _error(problem: Problem) -> Finding:
    return Finding("error", problem.message, hint=problem.hint, place=problem.place)


def _records(test: MappingTest, root: Path) -> tuple[str, ...]:
    if not test.file:
        return test.records
    try:
        text = (root / test.file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        message = f"the records in {test.file} can't be read: {said}"
        raise UserError(message, place=test.place) from error
    return split_records(text, test.file)


def _other_differences(expected: Mapping[str, Any], tally: Tally) -> Iterator[str]:
    dropped = expected.get("dropped", tally.dropped)
    if dropped != tally.dropped:
        yield f"dropped: {dropped} -> {tally.dropped}"
    failed = expected.get("selector_errors", 0)
    if failed != len(tally.selector_errors):
        yield f"selector_errors: {failed} -> {len(tally.selector_errors)}"
    wanted, found = expected.get("misconfigured"), list(tally.misconfigured)
    if wanted is not None and sorted(set(wanted)) != sorted(found):
        yield f"misconfigured: {_listed(wanted)} -> {_listed(found)}"


def _listed(paths: Sequence[str]) -> str:
    return f"[{', '.join(paths)}]"
