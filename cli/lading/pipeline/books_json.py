"""What the books say, as the JSON of `lading status`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.extract.freshness import Standing
    from lading.extract.restatements import Restatement
    from lading.pipeline.books import Status
    from lading.pipeline.context import Context

SCHEMA = "urn:lading:schema:status"


def status_json(context: Context, status: Status) -> dict[str, Any]:
    """All of it; what is no value of JSON is written by `plain`."""
    return {"metadata": _metadata(context), **_described(status)}


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


def plain(value: object) -> object:
    """A value that JSON does not know: seconds, a moment in UTC, an exact figure as text."""
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        # Text: a number of JSON is a float to most who read it.
        return f"{value:f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
    return str(value)
