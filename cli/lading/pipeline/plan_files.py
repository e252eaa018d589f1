"""A plan as a document: for programs, and saved for a push that does just what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading import __version__
from lading.errors import LadingError, UserError
from lading.pipeline.push_plans import Saved, Tolerance
from lading.port.planned import Planned, planned
from lading.secrets import redact

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context
    from lading.pipeline.push_plans import PushPlan
    from lading.pipeline.steps import Blocked
    from lading.port.planning import Aim

SCHEMA = "urn:lading:schema:plan"
DOING = ("create", "change", "delete")


class DriftError(LadingError):
    """What is to be done is no longer what a saved plan says."""


def document(
    context: Context, plan: PushPlan, blocked: Sequence[Blocked], data: Sequence[Mapping[str, Any]]
) -> str:
    """The plan as JSON, every entity of it that is not unchanged included.

    data  what there is to say of the blueprints
    """
    import msgspec

    with context.database.reading() as connection:
        entities = [_described(each) for each in planned(connection)]
    head = {
        "schema": SCHEMA,
        "lading_version": __version__,
        "project": context.project.name,
        "target": context.project.target.name,
        "destination": plan.destination,
        "against": plan.against,
        "created_at": f"{context.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "summary": [asdict(each) for each in plan.counts],
        "deletions": {
            "entities": plan.deletes,
            "owned": plan.owned,
            "threshold": plan.threshold,
            "carried_out": not plan.deletes_too_much,
        },
        "blocked": [asdict(each) for each in blocked],
        "blueprints": list(data),
        "changes": entities,
    }
    return redact(msgspec.json.format(msgspec.json.encode(head), indent=1).decode())


def _described(each: Planned) -> dict[str, Any]:
    """Texts that are JSON already stay as they are: numbers keep their digits."""
    import msgspec

    return {
        "action": each.action,
        "blueprint": each.blueprint,
        "identifier": each.identifier,
        "resource": each.resource,
        "hash": each.hash,
        "reason": each.reason,
        "entity": None if each.entity is None else msgspec.Raw(each.entity.encode()),
        "changes": [
            {
                "path": change.path,
                "before": msgspec.Raw(change.before.encode()),
                "after": msgspec.Raw(change.after.encode()),
            }
            for change in each.changes
        ],
    }


def read_saved(path: Path) -> Saved:
    """A plan that was saved.

    Raises:
        UserError: the file is not there, or is no plan of this version.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']}, not {SCHEMA}")
        doing = frozenset(
            (each["action"], each["blueprint"], each["identifier"], each["hash"])
            for each in found["changes"]
            if each["action"] in DOING
        )
        created_at = datetime.fromisoformat(found["created_at"])
        return Saved(str(path), found["destination"], found["project"], created_at, doing)
    except OSError as error:
        hint = "`lading plan --out FILE` saves one"
        raise UserError(f"{path} can't be read: {error.strerror}", hint=hint) from error
    except (ValueError, KeyError, TypeError) as error:
        hint = "save it anew: lading plan --out FILE"
        raise UserError(f"{path} is no plan that was saved: {error}", hint=hint) from error


def check_saved(context: Context, saved: Saved, destination: str, tolerance: Tolerance) -> None:
    """See that a saved plan is of this project and destination, and young enough.

    Raises:
        UserError: it is another's.
        DriftError: it is too old.
    """
    if (saved.project, saved.destination) != (context.project.name, destination):
        raise UserError(
            f"{saved.file} is a plan of {saved.project} for {saved.destination}, not of "
            f"{context.project.name} for {destination}",
        )
    age = context.now - saved.created_at
    if age > tolerance.age:
        from lading.project.spans import span_text

        raise DriftError(
            f"{saved.file} is {span_text(age)} old, more than {span_text(tolerance.age)}",
            hint="save it anew with lading plan --out FILE, or allow more with --max-age",
        )


def hold_to(connection: DuckDBPyConnection, saved: Saved, tolerance: Tolerance, aim: Aim) -> None:
    """Leave of the plan that is there just what was saved.

    Raises:
        DriftError: they differ by more than is tolerated; nothing was done.
    """
    from lading.port.planning import narrow

    now = frozenset(
        (each.action, each.blueprint, each.identifier, each.hash)
        for each in planned(connection)
        if each.action in DOING
    )
    over, new = saved.doing - now, now - saved.doing
    percent = 100 * len(over | new) / max(1, len(saved.doing))
    if percent > tolerance.drift:
        raise DriftError(
            f"what is to be done is no longer what {saved.file} says: {len(new):,} new and "
            f"{len(over):,} no longer to be done, {percent:.1f} % of {len(saved.doing):,}"
            f"{_examples(over, new)}",
            hint="look at lading plan and save it anew, or allow more with --allow-drift PERCENT",
        )
    if new:
        narrow(connection, saved.doing & now, aim)


def _examples(*sets: frozenset[tuple[str, str, str, str]]) -> str:
    shown = [f"{each[0]} {each[1]} '{each[2]}'" for some in sets for each in sorted(some)[:2]]
    return f" ({', '.join(shown)})"
