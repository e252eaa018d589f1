"""The summaries that commands end with, on stdout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from lading.commands.built import show_build
from lading.commands.output import complain, count, counts, remark, say, table

if TYPE_CHECKING:
    from datetime import datetime

    from lading.extract.checks import Check
    from lading.extract.plan import Extract, Plan
    from lading.extract.run import Extraction, Outcome
    from lading.pipeline.context import Context
    from lading.pipeline.findings import CheckResult
    from lading.pipeline.so_far import SoFar
    from lading.pipeline.sync import Planned, Synced
    from lading.port.tally import PushResult

SHOWN = 10
PUSHED = ("created", "changed", "deleted", "unchanged")
PUSHED_SOMETIMES = ("kept", "refused", "failed", "conflicting", "left_out", "left")
# What the ids of tests begin with; the other checks are about sources.
TESTS = ("test.", "unit_test.", "mapping_test.")


def show_extraction(extraction: Extraction) -> None:
    """What was fetched for each extract, and what of it came back different."""
    from lading.extract.restatements import in_words

    if not extraction.outcomes:
        say("Nothing to fetch: no mapping asks for a report.")
        return
    again = f", {extraction.retries:,} of them again" if extraction.retries else ""
    say(f"Fetched with {count(extraction.http_requests, 'request')}{again}:")
    rows = [
        (
            each.extract.stream.name,
            each.extract.width,
            ", ".join(each.extract.dimensions) or "-",
            each.requests,
            each.records,
            len(each.failures),
        )
        for each in extraction.outcomes
    ]
    say(table(["stream", "width", "grouped by", "ranges", "records", "failed"], rows))
    if extraction.left:
        say(f"Not fetched yet: {count(extraction.left, 'range')}")
    if extraction.restated:
        say(f"Restated: {in_words(extraction.restated)}")
    for outcome in extraction.outcomes:
        tried = [each for each in outcome.failures if each.tried]
        for failure in tried[:1]:
            message = f"{outcome.extract.stream.name}: {failure.error}"
            complain(message, code="extract_failed", hint=failure.hint)
        if outcome.left_out:
            complain(_left_out(outcome), code="left_out", severity="warning")
    for check in extraction.checks:
        _show_check(check)
    for unknown in extraction.unknown:
        say(str(unknown))


def _left_out(outcome: Outcome) -> str:
    extract = outcome.extract
    by = f" by {', '.join(extract.dimensions)}" if extract.dimensions else ""
    number = len(outcome.left_out)
    were = f"{count(number, 'bucket')} {'was' if number == 1 else 'were'} not in the answer"
    return (
        f"{extract.stream.name} {extract.width}{by}: {were} "
        f"(first: {outcome.left_out[0]:%Y-%m-%dT%H:%M}); what landed before stays"
    )


def _show_check(check: Check) -> None:
    if not check.differing:
        if check.buckets:
            say(f"Control totals: {count(check.buckets, 'bucket')} of {check.stream} agree")
        return
    about = f"{check.differing:,} of {count(check.buckets, 'bucket')} of {check.stream}"
    say(f"Control totals: {about} differ")
    for each in check.mismatches:
        complain(str(each), code="control_total_differs")
    remark("all of them: lading query 'FROM lading.control_totals'")


def show_extraction_plan(plan: Plan, output: str) -> None:
    """What an extraction would ask for: each extract's ranges, how many requests, and why."""
    described = [_described(extract, plan) for extract in plan.extracts]
    if output == "json":
        import json

        say(json.dumps(described, indent=2))
        return
    rows = [
        (
            each["stream"],
            each["width"],
            ", ".join(each["group_by"]) or "-",
            _range(each["from"], each["to"]) if each["requests"] else "-",
            len(each["requests"]),
            ", ".join(f"{number} {why}" for why, number in each["reasons"].items()) or "up to date",
        )
        for each in described
    ]
    say(table(["stream", "width", "grouped by", "range", "requests", "why"], rows))
    total = sum(len(each["requests"]) for each in described)
    say(f"{count(total, 'request')}, and more where a report goes over several pages.")


def _range(start: str, end: str) -> str:
    """From when to when; a snapshot is of one moment."""
    return start[:16] if start == end else f"{start[:16]} to {end[:16]}"


def _described(extract: Extract, plan: Plan) -> dict[str, Any]:
    requests = [each for each in plan.requests if each.extract is extract]
    return {
        "connection": extract.stream.connection,
        "stream": extract.stream.name,
        "width": extract.width,
        "group_by": list(extract.dimensions),
        "serves": list(extract.serves),
        "from": _utc(min(each.period.starting_at for each in requests)) if requests else None,
        "to": _utc(max(each.period.ending_at for each in requests)) if requests else None,
        "reasons": dict(sorted(Counter(each.reason for each in requests).items())),
        "requests": [
            {
                "starting_at": _utc(each.period.starting_at),
                "ending_at": _utc(each.period.ending_at),
                "reason": each.reason,
            }
            for each in requests
        ],
    }


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def show_pushed(planned: Planned, result: PushResult) -> None:
    """What Port took, deleted and refused, with its reasons."""
    from lading.commands.planned import show_blocked
    from lading.pipeline.push_plans import too_much

    show_blocked(planned.blocked)
    if result.blueprints:
        _show_counts(planned.plan.destination, result)
    else:
        say("Nothing to push: the mappings give no entity.")
    if planned.plan.deletes_too_much:
        complain(too_much(planned.plan), code="deletes_too_much")
    _show_failures(result)


def _show_counts(destination: str, result: PushResult) -> None:
    say(f"Pushed to Port ({destination}):")
    headings, rows = counts(result.blueprints, PUSHED, PUSHED_SOMETIMES)
    say(table(headings, rows))


def _show_failures(result: PushResult) -> None:
    for failure in result.failures[:SHOWN]:
        complain(str(failure), code="push_failed")
    if len(result.failures) > SHOWN:
        more = len(result.failures) - SHOWN
        remark(f"and {more:,} more: lading query 'FROM lading.refused'")


def show_planned_sync(context: Context, extraction: Extraction, planned: Planned) -> None:
    """What a dry run fetched and built, and what it would push."""
    from lading.commands.planned import show_plan

    show_extraction(extraction)
    show_build(planned.nodes)
    show_plan(context, planned, "text", SHOWN)


def show_sync(synced: Synced) -> None:
    """What each step did."""
    show_extraction(synced.extraction)
    show_build(synced.planned.nodes)
    show_pushed(synced.planned, synced.pushed)


def show_stopped(so_far: SoFar) -> None:
    """What was done until a Ctrl-C, in the words of a run that came to its end; what is left."""
    if so_far.extraction is not None:
        show_extraction(so_far.extraction)
    if so_far.nodes:
        show_build(so_far.nodes)
    if so_far.nodes_left:
        say(f"Not built yet: {count(so_far.nodes_left, 'node')}")
    if so_far.pushed is not None:
        _show_counts(so_far.destination, so_far.pushed)
        _show_failures(so_far.pushed)
    if so_far.checks or so_far.checks_left:
        show_checks(so_far.checks)
        say(f"Not run: {count(so_far.checks_left, 'check')}")


def show_checks(results: Sequence[CheckResult]) -> None:
    """What the checks that did not hold found, and how many of each kind there were."""
    from lading.pipeline.checks import summary

    for result in results:
        _show_details(result)
    landed = [each.finding for each in results if not each.node.startswith(TESTS)]
    for hint in dict.fromkeys(finding.hint for finding in landed if finding.hint):
        remark(hint)
    say(summary(results))


def _show_details(result: CheckResult) -> None:
    finding = result.finding
    if not result.node.startswith(TESTS):
        for detail in finding.details:
            complain(detail, code="check_detail")
    elif finding.outcome != "pass":
        severity: Literal["error", "warning"] = "error" if result.failed else "warning"
        message = f"{result.name}: {finding.said}"
        complain(
            message,
            code="test",
            severity=severity,
            place=finding.place,
            hint=finding.hint,
            shows_line=finding.outcome == "error",
        )
        for detail in finding.details:
            remark(f"    {detail}")
