"""The routes of Port's stand-in for blueprints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.sandbox.port_blueprints import blueprint_fault, change_fault
from lading.sandbox.port_call import Answer, Call
from lading.sandbox.port_catalog import Catalog
from lading.sandbox.port_records import PortRefusal


def answer(call: Call) -> Answer | None:
    """The answer of a route of blueprints; None if it is another."""
    match call.route:
        case ("GET", "v1", "blueprints"):
            return 200, {"ok": True, "blueprints": list(call.catalog.blueprints.values())}
        case ("POST", "v1", "blueprints"):
            return _create(call)
        case ("GET", "v1", "blueprints", identifier):
            return 200, {"ok": True, "blueprint": call.catalog.blueprint(identifier)}
        case ("PUT", "v1", "blueprints", identifier):
            return _change(call, identifier, {}, required=("title", "schema"))
        case ("PATCH", "v1", "blueprints", identifier):
            return _change(call, identifier, call.catalog.blueprint(identifier), required=())
    return None


def _create(call: Call) -> Answer:
    call.query(frozenset(("create_catalog_page",)))
    body = call.body()
    if fault := blueprint_fault(body):
        raise PortRefusal(422, fault)
    if body["identifier"] in call.catalog.blueprints:
        message = f'Blueprint with identifier "{body["identifier"]}" already exists'
        raise PortRefusal(409, message)
    _check_targets(call.catalog, body)
    call.catalog.define(body)
    return 201, {"ok": True, "blueprint": body}


def _change(
    call: Call, identifier: str, kept: Mapping[str, Any], required: tuple[str, ...]
) -> Answer:
    old, body = call.catalog.blueprint(identifier), call.body()
    if fault := blueprint_fault(body, required=required) or change_fault(old, body):
        raise PortRefusal(422, fault)
    changed = {**kept, **body, "identifier": identifier}
    _check_targets(call.catalog, changed)
    call.catalog.define(changed)
    return 200, {"ok": True, "blueprint": changed}


def _check_targets(catalog: Catalog, body: Mapping[str, Any]) -> None:
    for relation in body.get("relations", {}).values():
        catalog.blueprint(relation["target"])
    for name, mirror in body.get("mirrorProperties", {}).items():
        if str(mirror.get("path")).split(".")[0] not in body.get("relations", {}):
            raise PortRefusal(422, f"mirrorProperties/{name}: the path has no relation")
