"""How `lading status` is said: as text, as Markdown and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lading.commands.output import say

if TYPE_CHECKING:
    from lading.extract.freshness import Standing
    from lading.extract.restatements import Restatement
    from lading.pipeline.books import Status
    from lading.pipeline.context import Context

SCHEMA = "urn:lading:schema:status"


def show_status(context: Context, status: Status, output: str, *, every_refused: bool) -> None:
    """All parts, one after the other. JSON has every refused entity in any case."""
    from lading.commands.sections import as_markdown, as_text
    from lading.commands.status_sections import sections

    if output == "json":
        import json

        said = {"metadata": _metadata(context), **_described(status)}
        say(json.dumps(said, indent=2, default=_plain))
    elif output == "markdown":
        project = context.project
        heading = f"lading status of {project.name} ({project.target.name})"
        say(as_markdown(heading, sections(status, every_refused=every_refused)))
    else:
        say(as_text(sections(status, every_refused=every_refused)))


def _metadata(context: Context) -> dict[str, Any]:
    from lading import __version__

    return {
        "schema": SCHEMA,
        "lading_version": __version__,
        "as_of": context.now.astimezone(UTC),
        "project": context.project.name,
        "target": context.project.target.name,
    }


def _described(status: Status) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "runs": [asdict(each) for each in status.runs],
        "freshness": [_standing(each) for each in status.freshness],
        "closing": [asdict(each) for each in status.closing],
        "missing": [asdict(each) for each in status.missing],
        "restatements": [_restatement(each) for each in status.restatements],
        "port": [asdict(each) for each in status.held],
        "refused": [asdict(each) for each in status.refused],
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


def _restatement(found: Restatement) -> dict[str, Any]:
    import json

    what = found.restated
    return {
        "run_id": found.run_id,
        "restated_at": found.restated_at,
        "connection": what.connection,
        "stream": what.stream,
        "request": json.loads(what.request),
        "starting_at": found.starting_at,
        "ending_at": found.ending_at,
        "slices": what.slices,
        "moved": dict(what.moved),
    }


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        # Text: a number of JSON is a float to most who read it.
        return f"{value:f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
    return str(value)
