"""Deleting entities, alone or with what depends on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lading.sandbox.port_call import Answer, Call, hits
from lading.sandbox.port_catalog import Catalog
from lading.sandbox.port_records import PortEntity, PortRefusal

LARGEST_DELETION = 100
DEPENDENTS = "delete_dependents"
Key = tuple[str, str]


def answer(call: Call) -> Answer | None:
    """The answer of a route that deletes; None if it is another."""
    match call.route:
        case ("DELETE", "v1", "blueprints", blueprint, "entities", identifier):
            return _delete_one(call, blueprint, identifier)
        case ("POST", "v1", "blueprints", blueprint, "bulk", "entities", "delete"):
            return _delete_bulk(call, blueprint)
    return None


def _delete_one(call: Call, blueprint: str, identifier: str) -> Answer:
    with_dependents = _with_dependents(call)
    call.catalog.entity(blueprint, identifier)
    delete(call.catalog, {(blueprint, identifier)}, with_dependents=with_dependents)
    return 200, {"ok": True}


def _delete_bulk(call: Call, blueprint: str) -> Answer:
    with_dependents = _with_dependents(call)
    call.catalog.blueprint(blueprint)
    identifiers = call.fields(frozenset(("entities",)))["entities"]
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= LARGEST_DELETION:
        raise PortRefusal(422, f"body/entities must be an array of 1 to {LARGEST_DELETION}")
    if not all(isinstance(each, str) for each in identifiers):
        raise PortRefusal(422, "body/entities must be array of strings")
    asked = {(blueprint, each): None for each in identifiers}
    found = [key for key in asked if key in call.catalog.entities]
    delete(call.catalog, set(found), with_dependents=with_dependents)
    told = (
        identifier
        for index, (_, identifier) in enumerate(found)
        if not hits(call.request.fault, "unanswered", index)
    )
    return 200, {"ok": True, "deletedEntities": list(told)}


def _with_dependents(call: Call) -> bool:
    if DEPENDENTS not in dict(call.request.query):
        raise PortRefusal(422, f'querystring must have required property "{DEPENDENTS}"')
    return DEPENDENTS in call.switches((DEPENDENTS,))


def delete(catalog: Catalog, doomed: set[Key], *, with_dependents: bool) -> None:
    """Delete entities that are there; all that requires one of them goes too, or nothing does.

    Raises:
        PortRefusal: something requires one of them, and is not to go with it.
    """
    while dependents := set(_dependents(catalog, doomed)):
        if not with_dependents:
            blueprint, identifier = min(dependents)
            # The reference names no status for this; a conflict with what is there comes nearest.
            raise PortRefusal(409, f'"{identifier}" of "{blueprint}" requires one of the entities')
        doomed = doomed | dependents
    for key in doomed:
        del catalog.entities[key]
    _let_go(catalog, doomed)


def _dependents(catalog: Catalog, doomed: set[Key]) -> Iterator[Key]:
    for key, entity in catalog.entities.items():
        relations = _relations(catalog, entity)
        required = (name for name, relation in relations.items() if relation.get("required"))
        if key not in doomed and any(
            not doomed.isdisjoint(_targets(relations, entity, name)) for name in required
        ):
            yield key


def _let_go(catalog: Catalog, gone: set[Key]) -> None:
    """Take what is gone out of the relations that do not require it.

    Such an entity counts as neither written nor as someone else's for that.
    """
    for key, entity in catalog.entities.items():
        relations = _relations(catalog, entity)
        kept = {
            name: _without(value, gone, relations[name]["target"])
            for name, value in entity.relations.items()
        }
        if kept != entity.relations:
            there = {name: value for name, value in kept.items() if value is not None}
            catalog.entities[key] = replace(entity, relations=there)


def _without(value: Any, gone: set[Key], target: str) -> Any:
    if isinstance(value, list):
        return [each for each in value if (target, each) not in gone]
    return None if (target, value) in gone else value


def _relations(catalog: Catalog, entity: PortEntity) -> Mapping[str, Any]:
    relations: Mapping[str, Any] = catalog.blueprints[entity.blueprint].get("relations", {})
    return relations


def _targets(relations: Mapping[str, Any], entity: PortEntity, name: str) -> set[Key]:
    value = entity.relations.get(name)
    identifiers = value if isinstance(value, list) else [value]
    return {(relations[name]["target"], each) for each in identifiers if each is not None}
