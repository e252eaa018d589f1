"""What must hold: checks of what has landed, of the models and of their SQL, each of them run alone
and told in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from lading import log
from lading.pipeline.findings import Check, CheckResult, Finding, Outcome
from lading.pipeline.so_far import SoFar, Stopped
from lading.transform.statements import positions_in_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.plan import Plan
    from lading.pipeline.choice import Choice
    from lading.pipeline.context import Context
    from lading.pipeline.watching import Watcher
    from lading.transform.local_files import LocalFile


def run_checks(
    context: Context, watcher: Watcher, choice: Choice | None = None
) -> tuple[CheckResult, ...]:
    """Run the checks of the project that are chosen; each is told as it ends.

    Raises:
        UserError: the choice means nothing, or a unit test names a column that is not there.
        DatabaseError: there is nothing to check yet.
        Stopped: a Ctrl-C ended it.
    """
    from lading.pipeline.books import reading_books
    from lading.pipeline.mapping_checks import mapping_checks
    from lading.pipeline.model_checks import data_checks, keep_failures, unit_checks

    chosen = _chosen(context, choice)
    with (
        unit_checks(context, chosen) as (units, empty),
        mapping_checks(context, chosen) as (mapped, nothing),
    ):
        tests = tuple(data_checks(context, chosen))
        landed = tuple(each for each in checks_of(context) if _is_in(each, chosen))
        total = len(units) + len(mapped) + len(landed) + len(tests)
        watcher.start("checks", total, "checks")
        running = _Running(total, watcher)
        with running.stoppable():
            if empty is not None:
                running.run(units, empty)
            if nothing is not None:
                running.run(mapped, nothing)
            if landed or tests:
                with reading_books(context) as connection, positions_in_errors(connection):
                    running.run((*landed, *tests), connection)
    keep_failures(context, running.results)
    return tuple(running.results)


class _Running:
    """Checks as they are run and told, numbered through."""

    def __init__(self, total: int, watcher: Watcher) -> None:
        self.results: list[CheckResult] = []
        self._total = total
        self._watcher = watcher

    def run(self, checks: Sequence[Check], connection: DuckDBPyConnection) -> None:
        """Run some of them on a database."""
        for check in checks:
            result = _run(check, connection)
            self.results.append(result)
            self._watcher.advance("checks")
            _say(f"{len(self.results)} of {self._total}", result)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Have a Ctrl-C tell what has been found until then."""
        try:
            yield
        except KeyboardInterrupt as stop:
            left = self._total - len(self.results)
            raise Stopped(SoFar(checks=self.results, checks_left=left)) from stop


def _chosen(context: Context, choice: Choice | None) -> frozenset[str] | None:
    if choice is None or not choice.is_made:
        return None
    from lading.pipeline.nodes import nodes_of

    return frozenset(choice.ids(nodes_of(context), tests=True))


def _is_in(check: Check, chosen: frozenset[str] | None) -> bool:
    return chosen is None or check.node in chosen


def checks_of(context: Context) -> Iterator[Check]:
    """The checks of the sources: how fresh each stream is, and whether its groupings agree."""
    from lading.pipeline.books import wanted

    planned = wanted(context)
    asked = {extract.stream.name: extract.stream for extract in planned.extracts}
    ids = {stream: f"source.{source}.{stream}" for source, stream in _streams(context)}
    for name, stream in asked.items():
        if stream.freshness is not None:
            look = partial(_freshness, context, planned, name)
            yield Check(f"freshness of {name}", ids[name], look)
    for node, file in context.files.items():
        if file.limits is not None:
            yield Check(f"freshness of {file.name}", node, partial(_file_freshness, context, file))
    for name, stream in asked.items():
        if stream.control_totals and any(
            each.dimensions for each in planned.extracts if each.stream.name == name
        ):
            yield Check(f"control totals of {name}", ids[name], partial(_totals, planned, name))


def _streams(context: Context) -> Iterator[tuple[str, str]]:
    for document in context.project.sources:
        for source in document.data["sources"]:
            for stream in source.get("streams") or ():
                yield source["name"], stream["name"]


def summary(results: Sequence[CheckResult]) -> str:
    """The last line, with dbt's counts: what failed and what could not be run are both errors."""
    counts = Counter(each.finding.outcome for each in results)
    errors = counts["fail"] + counts["error"]
    said = f"PASS={counts['pass']} WARN={counts['warn']} ERROR={errors} SKIP={counts['skip']}"
    return f"Done. {said} TOTAL={len(results)}"


def _run(check: Check, connection: DuckDBPyConnection) -> CheckResult:
    import duckdb

    started, started_at = perf_counter(), datetime.now(UTC)
    try:
        finding = check.look(connection)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        finding = Finding("error", str(error).strip().split("\n\nLINE", maxsplit=1)[0])
    seconds = perf_counter() - started
    return CheckResult(check.name, check.node, finding, seconds, started_at)


def _say(about: str, result: CheckResult) -> None:
    finding = result.finding
    levels = {"warn": log.warning, "fail": log.error, "error": log.error}
    said = f": {finding.said}" if finding.said else ""
    levels.get(finding.outcome, log.info)(
        "check",
        f"{about} {finding.outcome.upper()} {result.name}{said} [{result.seconds:.2f}s]",
        check=result.name,
        outcome=finding.outcome,
        said=finding.said,
        seconds=round(result.seconds, 3),
    )


def _freshness(
    context: Context, planned: Plan, stream: str, connection: DuckDBPyConnection
) -> Finding:
    from lading.extract.freshness import freshness, landed_up_to

    those = [each for each in planned.extracts if each.stream.name == stream]
    standings = freshness(those, landed_up_to(connection), context.now)
    outcome: Outcome = "pass"
    if any(each.failed for each in standings):
        outcome = "fail"
    elif any(each.state != "ok" for each in standings):
        outcome = "warn"
    late = [each for each in standings if each.state != "ok"] or standings
    hint = None if outcome == "pass" else "`lading status` says what is missing and why"
    return Finding(outcome, "; ".join(map(str, late)), hint=hint)


def _file_freshness(context: Context, file: LocalFile, connection: DuckDBPyConnection) -> Finding:
    from lading.transform.local_files import fresh_up_to, standing

    found = standing(file, fresh_up_to(connection, file), context.now)
    good: Outcome = "pass" if found.state == "ok" else "warn"
    return Finding("fail" if found.failed else good, str(found))


def _totals(planned: Plan, stream: str, connection: DuckDBPyConnection) -> Finding:
    from lading.extract.landed_totals import compare_landed

    checks = compare_landed(connection, planned, stream)
    buckets = sum(each.buckets for each in checks)
    differing = sum(each.differing for each in checks)
    if not buckets:
        return Finding("skip", "nothing has landed in both views")
    if not differing:
        return Finding("pass", f"{buckets:,} buckets agree")
    return Finding(
        "fail",
        f"{differing:,} of {buckets:,} buckets differ",
        tuple(str(each) for check in checks for each in check.mismatches),
        "`lading extract --recheck 35d` fetches both views once more",
    )
