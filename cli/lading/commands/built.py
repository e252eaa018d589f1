"""What a build would do, and what it did, on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lading.commands.output import complain, count, remark, say

if TYPE_CHECKING:
    from lading.pipeline.building import Planned
    from lading.transform.build import NodeResult
    from lading.transform.test_runs import TestResult

LONGEST_ROW = 160


def show_build(nodes: Sequence[NodeResult]) -> None:
    """How many models were made, failed, were left out and were up to date."""
    models = [each for each in nodes if each.step.model is not None]
    made = sum(each.status == "ok" and each.step.action == "make" for each in models)
    failed = sum(each.status in {"error", "fail"} for each in models)
    skipped = sum(each.status == "skipped" for each in models)
    said = f"Built {count(made, 'model')}; {failed} failed, {skipped} skipped"
    current = len(models) - made - failed - skipped
    for node in nodes:
        show_failure(node)
    say(f"{said}, {current:,} up to date." if current else f"{said}.")


def show_failure(node: NodeResult) -> None:
    """Why a node was not made, with the line of its file; what its tests found."""
    if node.status == "error":
        name = node.node.partition(".")[2]
        message = f"{name}: {node.message}"
        complain(message, code="node_failed", place=node.place, hint=node.hint)
    for test in node.tests:
        if test.outcome != "pass":
            severity: Literal["error", "warning"] = "warning" if test.outcome == "warn" else "error"
            message = f"{test.test.name}: {test.message}"
            complain(
                message,
                code="test",
                severity=severity,
                place=test.place,
                hint=test.hint,
                shows_line=test.outcome == "error",
            )
            show_rows(test)


def show_done(nodes: Sequence[NodeResult]) -> None:
    """How nodes and their tests went, in dbt's last line."""
    from lading.pipeline.building import summary

    say(summary(nodes))


def show_rows(test: TestResult) -> None:
    """Rows that a test found, each cut where it gets long: `store_failures` keeps all of them."""
    for values in test.sample:
        line = "  ".join(values)
        remark(f"    {line if len(line) <= LONGEST_ROW else line[: LONGEST_ROW - 1] + '…'}")


def show_build_plan(planned: Sequence[Planned]) -> None:
    """What a build would do, and why."""
    from lading.pipeline.building import is_due, said

    due = [each for each in planned if is_due(each.step)]
    for each in due:
        word = "make" if each.step.action == "make" else "test"
        because = f" because {', '.join(each.because)}" if each.because else ""
        say(f"{word} {said(each.step)}{because}")
        if each.step.action == "test":
            say("\n".join(f"  {due.test.name}" for due in each.step.tests))
    made = sum(each.step.action == "make" for each in due)
    tests = sum(len(each.step.tests) for each in due)
    current = len(planned) - len(due)
    say(f"{count(made, 'node')} to make, {count(tests, 'test')} to run, {current:,} up to date.")
