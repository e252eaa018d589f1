"""What became of nodes, tests, checks and extracts, all in one shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lading.errors import Place
    from lading.extract.checks import Check
    from lading.extract.run import Extraction, Outcome
    from lading.pipeline.findings import CheckResult
    from lading.pipeline.steps import Blocked
    from lading.transform.build import NodeResult
    from lading.transform.nodes import Node
    from lading.transform.test_runs import TestResult

Kind = Literal[
    "model", "source", "test", "unit_test", "mapping_test", "check", "extract", "mapping"
]
TESTS = ("test", "unit_test", "mapping_test", "check")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one thing.

    Attributes:
        about: what it belongs to: the node that a test is declared on, or ''.
        failures: failing rows of a test, requests of an extract that came to nothing.
        details: lines for people: failing rows, a diff, what differs.
        more: what only results of its kind have.
    """

    id: str
    kind: Kind
    name: str
    status: str
    seconds: float | None = None
    started_at: datetime | None = None
    rows: int | None = None
    failures: int | None = None
    because: tuple[str, ...] = ()
    message: str = ""
    hint: str | None = None
    place: Place | None = None
    file: str = ""
    about: str = ""
    stored: str = ""
    details: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def is_test(self) -> bool:
        """Whether it says that something holds."""
        return self.kind in TESTS

    def as_json(self) -> dict[str, Any]:
        """The entry of run_results.json."""
        return {
            "unique_id": self.id,
            "resource_type": self.kind,
            "status": self.status,
            "execution_time": None if self.seconds is None else round(self.seconds, 6),
            "timing": self._timing(),
            "rows": self.rows,
            "failures": self.failures,
            "because": list(self.because),
            "message": self.message or None,
            "hint": self.hint,
            "place": str(self.place) if self.place else None,
            "stored": self.stored or None,
            "details": list(self.details),
            **self.more,
        }

    def _timing(self) -> dict[str, str] | None:
        if self.started_at is None or self.seconds is None:
            return None
        completed_at = self.started_at + timedelta(seconds=self.seconds)
        return {"started_at": _moment(self.started_at), "completed_at": _moment(completed_at)}


def of_nodes(nodes: Iterable[NodeResult]) -> Iterator[Result]:
    """A result for each node that was made or is up to date, and for each of its tests; tests
    that did not come to run are skipped."""
    for node in nodes:
        if node.step.action != "test" or node.status in {"error", "skipped"}:
            yield Result(
                id=node.node,
                kind="model" if node.step.model is not None else "source",
                name=node.node.partition(".")[2],
                status=node.status,
                seconds=node.seconds,
                started_at=node.started_at,
                rows=node.rows,
                because=node.because,
                message=node.message,
                hint=node.hint,
                place=node.place,
            )
        yield from _of_tests(node.tests)
        ran = {each.test.name for each in node.tests}
        for due in node.step.tests:
            if due.test.name not in ran:
                test = due.test
                yield Result(
                    id=f"test.{test.name}",
                    kind="test",
                    name=test.name,
                    status="skipped",
                    message=_reason(node),
                    place=test.place,
                    file=test.place.file,
                    about=test.attached_to,
                )


def _reason(node: NodeResult) -> str:
    if node.status == "skipped":
        return node.message
    return f"'{node.node.partition('.')[2]}' failed"


def _of_tests(tests: Iterable[TestResult]) -> Iterator[Result]:
    for each in tests:
        yield Result(
            id=f"test.{each.test.name}",
            kind="test",
            name=each.test.name,
            status=each.outcome,
            seconds=each.seconds,
            started_at=each.started_at,
            failures=None if each.outcome == "error" else each.failures,
            message=each.message,
            hint=each.hint,
            place=each.place or each.test.place,
            file=each.test.place.file,
            about=each.test.attached_to,
            stored=each.stored,
            details=tuple("  ".join(row) for row in each.sample),
        )


def of_checks(checks: Iterable[CheckResult], nodes: Mapping[str, Node]) -> Iterator[Result]:
    """Results of the tests of models and mappings, and of checks of what has landed."""
    for each in checks:
        kind = _kind_of_check(each)
        node, finding = nodes.get(each.node), each.finding
        is_counted = kind == "test" and finding.outcome not in {"error", "skip"}
        yield Result(
            id=_check_id(each.name) if kind == "check" else each.node,
            kind=kind,
            name=each.name,
            status="skipped" if finding.outcome == "skip" else finding.outcome,
            seconds=each.seconds,
            started_at=each.started_at,
            failures=finding.failures if is_counted else None,
            message=finding.said,
            hint=finding.hint,
            place=finding.place,
            file=node.file if node else "",
            about=each.node if kind == "check" else node.attached_to if node else "",
            stored=finding.stored,
            details=finding.details,
        )


def _kind_of_check(check: CheckResult) -> Kind:
    kinds: Mapping[str, Kind] = {
        "test": "test",
        "unit_test": "unit_test",
        "mapping_test": "mapping_test",
    }
    return kinds.get(check.node.partition(".")[0], "check")


def of_extraction(extraction: Extraction) -> Iterator[Result]:
    """A result for each extract, and for each comparison with control totals."""
    for outcome in extraction.outcomes:
        yield _of_extract(outcome)
    for check in extraction.checks:
        yield _of_totals(check)


def of_blocked(blocked: Sequence[Blocked]) -> Iterator[Result]:
    """Mappings that were left out since something before them failed."""
    for each in blocked:
        name = each.resource
        yield Result(f"mapping.{name}", "mapping", name, "skipped", message=each.why)


def _of_extract(outcome: Outcome) -> Result:
    extract = outcome.extract
    stream = extract.stream
    name = ".".join((stream.connection, stream.name, extract.width, *extract.dimensions))
    errors = dict.fromkeys(each.error for each in outcome.failures if each.tried)
    hints = [each.hint for each in outcome.failures if each.hint]
    return Result(
        id=f"extract.{name}",
        kind="extract",
        name=name,
        status="error" if outcome.failures else "ok",
        rows=outcome.records,
        failures=len(outcome.failures),
        message=next(iter(errors), ""),
        hint=hints[0] if hints else None,
        place=stream.place,
        details=tuple(errors),
        more={
            "extract": {
                "connection": stream.connection,
                "stream": stream.name,
                "width": extract.width,
                "group_by": list(extract.dimensions),
                "requests": outcome.requests,
                "landed": outcome.landed,
                "records": outcome.records,
                "bytes": outcome.size,
                "left_out": [_moment(each) for each in outcome.left_out],
                "failures": [
                    {
                        "starting_at": _moment(each.request.period.starting_at),
                        "ending_at": _moment(each.request.period.ending_at),
                        "error": each.error,
                        "tried": each.tried,
                    }
                    for each in outcome.failures
                ],
            }
        },
    )


def _of_totals(check: Check) -> Result:
    name = f"control totals of {check.stream} ({check.connection})"
    message = f"{check.differing:,} of {check.buckets:,} buckets differ" if check.differing else ""
    status = "fail" if check.differing else "pass" if check.buckets else "skipped"
    details = tuple(map(str, check.mismatches))
    failures = check.differing
    return Result(
        _check_id(name), "check", name, status, failures=failures, message=message, details=details
    )


def _check_id(name: str) -> str:
    return "check." + "_".join(re.findall(r"\w+", name))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
