"""What must hold of what has landed: checks, each of them run alone and told in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from lading import log

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.plan import Plan
    from lading.pipeline.context import Context, Watcher

Outcome = Literal["pass", "warn", "fail", "error", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `details` are the first things that are not as they should be."""

    outcome: Outcome
    said: str = ""
    details: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; it looks into the database, which is open for reading alone."""

    name: str
    look: Callable[[DuckDBPyConnection], Finding]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check that has been run."""

    name: str
    finding: Finding
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether it did not hold, or could not be run."""
        return self.finding.outcome in {"fail", "error"}


def run_checks(context: Context, watcher: Watcher) -> tuple[CheckResult, ...]:
    """Run all checks of the project; each is told as it ends.

    Raises:
        DatabaseError: there is nothing to check yet.
    """
    from lading.pipeline.books import reading_books

    checks = tuple(checks_of(context))
    watcher.start("checks", len(checks))
    results = []
    with reading_books(context) as connection:
        for number, check in enumerate(checks, start=1):
            result = _run(check, connection)
            results.append(result)
            watcher.advance("checks")
            _say(f"{number} of {len(checks)}", result)
    return tuple(results)


def checks_of(context: Context) -> Iterator[Check]:
    """The checks of the sources: how fresh each stream is, and whether its groupings agree."""
    from lading.pipeline.books import wanted

    planned = wanted(context)
    asked = {extract.stream.name: extract.stream for extract in planned.extracts}
    for name, stream in asked.items():
        if stream.freshness is not None:
            yield Check(f"freshness of {name}", partial(_freshness, context, planned, name))
    for name, stream in asked.items():
        if stream.control_totals and any(
            each.dimensions for each in planned.extracts if each.stream.name == name
        ):
            yield Check(f"control totals of {name}", partial(_totals, planned, name))


def summary(results: Sequence[CheckResult]) -> str:
    """The last line, with dbt's counts: what failed and what could not be run are both errors."""
    counts = Counter(each.finding.outcome for each in results)
    errors = counts["fail"] + counts["error"]
    said = f"PASS={counts['pass']} WARN={counts['warn']} ERROR={errors} SKIP={counts['skip']}"
    return f"Done. {said} TOTAL={len(results)}"


def _run(check: Check, connection: DuckDBPyConnection) -> CheckResult:
    import duckdb

    started = perf_counter()
    try:
        finding = check.look(connection)
    except duckdb.Error as error:
        finding = Finding("error", str(error).strip().split("\n\nLINE", maxsplit=1)[0])
    return CheckResult(check.name, finding, perf_counter() - started)


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
