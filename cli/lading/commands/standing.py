"""How `lading status` looks, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lading.commands.output import count, say, table

if TYPE_CHECKING:
    from lading.extract.freshness import Standing
    from lading.pipeline.books import Held, Missing, PastRun, Status


def show_status(status: Status, output: str) -> None:
    """The four parts, one after the other."""
    if output == "json":
        import json

        say(json.dumps(_described(status), indent=2, default=_plain))
        return
    _show_runs(status.runs)
    _show_freshness(status.freshness)
    _show_missing(status.missing)
    _show_held(status.held)


def _show_runs(runs: Sequence[PastRun]) -> None:
    say("Last runs:")
    rows = [
        (
            _utc(each.started_at),
            each.command,
            each.status,
            "" if each.seconds is None else f"{each.seconds:.1f}s",
            each.requests,
            each.failed,
            each.retries,
            each.records,
            each.entities,
            each.refused,
        )
        for each in runs
    ]
    headings = ["started", "command", "result", "took", "requests", "failed", "retries", "records"]
    say(table([*headings, "entities", "refused"], rows))
    if runs and runs[0].error:
        say(f"The last one ended with: {runs[0].error}")


def _show_freshness(standings: Sequence[Standing]) -> None:
    from lading.project.spans import span_text

    def said(span: timedelta | None) -> str:
        return "-" if span is None else span_text(span)

    say()
    say("Freshness:")
    rows = [
        (
            each.stream,
            each.state,
            _utc(each.up_to) if each.up_to else "-",
            said(each.behind),
            said(each.limits.warn_after if each.limits else None),
            said(each.limits.error_after if each.limits else None),
        )
        for each in standings
    ]
    say(table(["stream", "state", "up to", "behind", "warn after", "error after"], rows))


def _show_missing(missing: Sequence[Missing]) -> None:
    say()
    if not missing:
        say("Nothing is missing.")
        return
    say("Missing, or asked for again:")
    rows = [
        (
            each.stream,
            each.width,
            ", ".join(each.request.get("group_by", ())) or "-",
            _utc(each.starting_at),
            _utc(each.ending_at),
            each.slices,
            each.state,
            each.why,
        )
        for each in missing
    ]
    headings = ["stream", "width", "grouped by", "from", "to", "slices", "state", "why"]
    say(table(headings, rows))


def _show_held(held: Sequence[Held]) -> None:
    say()
    if not held:
        say("Port holds nothing yet.")
        return
    for destination in dict.fromkeys(each.destination for each in held):
        those = [each for each in held if each.destination == destination]
        total = sum(each.entities for each in those)
        say(f"Port ({destination}) holds {count(total, 'entity', 'entities')}:")
        rows = [
            (
                each.blueprint,
                each.entities,
                _utc(each.pushed_at) if each.pushed_at else "-",
                each.refused,
                each.message or "",
            )
            for each in those
        ]
        headings = ["blueprint", "entities", "last pushed", "refused", "reason given last"]
        say(table(headings, rows))


def _described(status: Status) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "runs": [asdict(each) for each in status.runs],
        "freshness": [_standing(each) for each in status.freshness],
        "missing": [asdict(each) for each in status.missing],
        "port": [asdict(each) for each in status.held],
    }


def _standing(standing: Standing) -> dict[str, Any]:
    limits = standing.limits
    return {
        "connection": standing.connection,
        "stream": standing.stream,
        "state": standing.state,
        "up_to": standing.up_to,
        "behind_seconds": standing.behind,
        "warn_after_seconds": limits.warn_after if limits else None,
        "error_after_seconds": limits.error_after if limits else None,
    }


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
