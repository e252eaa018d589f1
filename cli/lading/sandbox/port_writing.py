"""The routes of Port's stand-in that write entities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.sandbox.faults import Fault
from lading.sandbox.port_answers import as_entity
from lading.sandbox.port_call import Answer, Call, hits
from lading.sandbox.port_catalog import UNRESOLVED, Write, shape_fault
from lading.sandbox.port_records import PortRefusal

LARGEST_BULK = 20
WRITE_SWITCHES = ("upsert", "merge", "create_missing_related_entities", "validation_only")
WRITE_PARAMETERS = frozenset(("run_id", "ocean_info_resync_id", "ocean_info_event_type"))


def answer(call: Call) -> Answer | None:
    """The answer of a route that writes entities; None if it is another."""
    match call.route:
        case ("POST", "v1", "blueprints", blueprint, "entities"):
            return _upsert_one(call, blueprint)
        case ("POST", "v1", "blueprints", blueprint, "entities", "bulk"):
            return _upsert_bulk(call, blueprint)
    return None


def _upsert_one(call: Call, blueprint: str) -> Answer:
    write, body = _write(call, blueprint), call.body()
    if fault := shape_fault(body):
        raise PortRefusal(422, f"body{fault}")
    entity, created = call.catalog.upsert(blueprint, body, write)
    return 201 if created else 200, {"ok": True, "entity": as_entity(entity)}


def _upsert_bulk(call: Call, blueprint: str) -> Answer:
    write, bodies = _write(call, blueprint), call.fields(frozenset(("entities",)))["entities"]
    if not isinstance(bodies, list) or not 1 <= len(bodies) <= LARGEST_BULK:
        raise PortRefusal(422, f"body/entities must be an array of 1 to {LARGEST_BULK}")
    for index, each in enumerate(bodies):
        if fault := shape_fault(each):
            raise PortRefusal(422, f"body/entities/{index}{fault}")
    accepted: list[Mapping[str, Any]] = []
    errors: list[Mapping[str, Any]] = []
    for index, each in enumerate(bodies):
        try:
            _meet(call.request.fault, "207", index)
            entity, created = call.catalog.upsert(blueprint, each, write)
        except PortRefusal as refused:
            errors.append(_as_error(index, each["identifier"], refused))
            continue
        if not hits(call.request.fault, "unanswered", index):
            told = {"index": index, "identifier": entity.identifier, "created": created}
            accepted.append(told)
    whole = len(accepted) == len(bodies)
    return 200 if whole else 207, {"ok": True, "entities": accepted, "errors": errors}


def _write(call: Call, blueprint: str) -> Write:
    on = call.switches(WRITE_SWITCHES, WRITE_PARAMETERS)
    call.catalog.blueprint(blueprint)
    switches = {name: name in on for name in WRITE_SWITCHES}
    return Write(**switches, datasource=call.request.headers.get("user-agent", ""), now=call.now)


def _meet(fault: Fault | None, kind: str, index: int) -> None:
    if hits(fault, kind, index):
        raise PortRefusal(422, "refused by a fault that is switched on")


def _as_error(index: int, identifier: Any, refused: PortRefusal) -> Mapping[str, Any]:
    return {
        "index": index,
        "identifier": identifier if isinstance(identifier, str) else UNRESOLVED,
        "statusCode": refused.status,
        "error": refused.error,
        "message": refused.message,
    }
