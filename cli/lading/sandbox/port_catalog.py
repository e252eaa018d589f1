"""The catalog behind Port's stand-in: blueprints, entities, and what may become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lading.sandbox.port_records import PortEntity, PortRefusal
from lading.sandbox.port_search import matches, query_fault
from lading.sandbox.port_values import entity_identifier_fault, value_fault

ENTITY_KEYS = frozenset(("identifier", "title", "icon", "team", "properties", "relations"))
UNRESOLVED = "unknown"


@dataclass(frozen=True, slots=True)
class Write:
    """How a request wants its entities written, by its query parameters, and who asks when."""

    datasource: str
    now: datetime
    upsert: bool = False
    merge: bool = False
    create_missing_related_entities: bool = False
    validation_only: bool = False


@dataclass(slots=True)
class Catalog:
    blueprints: dict[str, dict[str, Any]] = field(default_factory=dict)
    entities: dict[tuple[str, str], PortEntity] = field(default_factory=dict)

    def blueprint(self, identifier: str) -> dict[str, Any]:
        """PortRefusal: it is not there."""
        if identifier not in self.blueprints:
            raise PortRefusal(404, f'Blueprint with identifier "{identifier}" was not found')
        return self.blueprints[identifier]

    def held(self, blueprint: str) -> list[PortEntity]:
        """The blueprint's entities, in the order in which they were first written."""
        return [each for each in self.entities.values() if each.blueprint == blueprint]

    def entity(self, blueprint: str, identifier: str) -> PortEntity:
        """PortRefusal: it or its blueprint is not there."""
        self.blueprint(blueprint)
        if (blueprint, identifier) not in self.entities:
            raise PortRefusal(404, f'Entity with identifier "{identifier}" was not found')
        return self.entities[blueprint, identifier]

    def define(self, blueprint: dict[str, Any]) -> None:
        """Put a blueprint in place; its entities lose what it does not define any more."""
        identifier = blueprint["identifier"]
        self.blueprints[identifier] = blueprint
        properties, relations = blueprint["schema"]["properties"], blueprint.get("relations", {})
        for each in self.held(identifier):
            self.entities[identifier, each.identifier] = replace(
                each,
                properties={k: v for k, v in each.properties.items() if k in properties},
                relations={k: v for k, v in each.relations.items() if k in relations},
            )

    def upsert(
        self, blueprint: str, body: Mapping[str, Any], write: Write
    ) -> tuple[PortEntity, bool]:
        """Write one entity whose shape is right; the entity, and whether it is new.

        Raises:
            PortRefusal: the blueprint, a relation or an existing entity does not allow it.
        """
        identifier = self._resolve(blueprint, body["identifier"])
        old = self.entities.get((blueprint, identifier))
        if old is not None and not write.upsert:
            raise PortRefusal(409, f'An entity "{identifier}" of "{blueprint}" exists already')
        new = self._written(blueprint, identifier, old, body, write)
        self._check_against_blueprint(new, body)
        related = list(self._missing_related(new))
        if related and not write.create_missing_related_entities:
            target, missing = related[0]
            raise PortRefusal(404, f'Entity "{missing}" of blueprint "{target}" was not found')
        if not write.validation_only:
            for target, missing in related:
                self.entities[target, missing] = _bare(target, missing, write)
            self.entities[blueprint, identifier] = new
        return new, old is None

    def _written(
        self,
        blueprint: str,
        identifier: str,
        old: PortEntity | None,
        body: Mapping[str, Any],
        write: Write,
    ) -> PortEntity:
        bare = _bare(blueprint, identifier, write)
        base = bare if old is None else replace(old, datasource=bare.datasource)
        if old is not None and not write.merge:
            base = replace(bare, created_at=old.created_at)
        team = body.get("team", base.team)
        definitions = self.blueprints[blueprint].get("relations", {})
        given = {
            name: self._related(definitions.get(name, {}), value)
            for name, value in body.get("relations", {}).items()
        }
        return replace(
            base,
            title=body.get("title", base.title),
            icon=body.get("icon", base.icon),
            team=(team,) if isinstance(team, str) else tuple(team),
            properties=_without_null({**base.properties, **body.get("properties", {})}),
            relations=_without_null({**base.relations, **given}),
            updated_at=write.now,
        )

    def _check_against_blueprint(self, entity: PortEntity, body: Mapping[str, Any]) -> None:
        blueprint = self.blueprints[entity.blueprint]
        schema = blueprint["schema"]
        known = schema["properties"]
        for name, value in body.get("properties", {}).items():
            if name not in known:
                raise PortRefusal(422, f'properties must NOT have additional property "{name}"')
            if value is not None and (fault := value_fault(known[name], value)):
                raise PortRefusal(422, f'"properties.{name}" {fault}')
        relations = blueprint.get("relations", {})
        for name in body.get("relations", {}):
            if name not in relations:
                raise PortRefusal(422, f'relations must NOT have additional relation "{name}"')
        for name in schema.get("required", []):
            if name not in entity.properties:
                raise PortRefusal(422, f'must have required property "{name}"')
        for name, relation in relations.items():
            _check_relation(name, relation, entity.relations.get(name))

    def _missing_related(self, entity: PortEntity) -> Iterator[tuple[str, str]]:
        relations = self.blueprints[entity.blueprint].get("relations", {})
        for name, value in entity.relations.items():
            target = relations[name]["target"]
            for identifier in value if isinstance(value, list) else [value]:
                itself = (target, identifier) == (entity.blueprint, entity.identifier)
                if not itself and (target, identifier) not in self.entities:
                    yield target, identifier

    def _related(self, relation: Mapping[str, Any], value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = self._search(str(relation.get("target")), value)
        return found if relation.get("many") else next(iter(found), None)

    def _resolve(self, blueprint: str, identifier: Any) -> str:
        if isinstance(identifier, str):
            return identifier
        found = self._search(blueprint, identifier)
        if len(found) != 1:
            raise PortRefusal(404, f"the search for an identifier found {len(found)} entities")
        return found[0]

    def _search(self, blueprint: str, query: Mapping[str, Any]) -> list[str]:
        if fault := query_fault(query, "the search"):
            raise PortRefusal(422, fault)
        return [each.identifier for each in self.held(blueprint) if matches(each, query)]


def shape_fault(body: object) -> str | None:
    """What is wrong with an entity's body before any blueprint is looked at, if anything."""
    if not isinstance(body, dict):
        return " must be object"
    return next(_shape_faults(body), None)


def _shape_faults(body: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(body.keys() - ENTITY_KEYS):
        yield f' must NOT have additional property "{key}"'
    if "identifier" not in body:
        yield ' must have required property "identifier"'
    elif not _is_search(body["identifier"]):
        fault = entity_identifier_fault(body["identifier"])
        yield from [f"/identifier {fault}"] if fault else []
    for key in ("title", "icon"):
        if key in body and not isinstance(body[key], str):
            yield f"/{key} must be string"
    if "team" in body and not (isinstance(body["team"], str) or _is_texts(body["team"])):
        yield "/team must be string or array of strings"
    for key in ("properties", "relations"):
        if not isinstance(body.get(key, {}), dict):
            yield f"/{key} must be object"
            return
    for name, value in body.get("relations", {}).items():
        if fault := _relation_value_fault(value):
            yield f"/relations/{name} {fault}"


def _relation_value_fault(value: object) -> str | None:
    if value is None or _is_search(value):
        return None
    for each in value if isinstance(value, list) else [value]:
        if fault := entity_identifier_fault(each):
            return fault
    return None


def _check_relation(name: str, relation: Mapping[str, Any], value: object) -> None:
    if value is None:
        if relation.get("required"):
            raise PortRefusal(422, f'must have required relation "{name}"')
    elif isinstance(value, list) != bool(relation.get("many")):
        expected = "array" if relation.get("many") else "string"
        raise PortRefusal(422, f'"relations.{name}" must be {expected}')


def _is_search(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.get("combinator") in {"and", "or"}
        and isinstance(value.get("rules"), list)
        and all(isinstance(rule, dict) for rule in value["rules"])
    )


def _bare(blueprint: str, identifier: str, write: Write) -> PortEntity:
    return PortEntity(
        blueprint=blueprint,
        identifier=identifier,
        title=None,
        icon=None,
        team=(),
        properties={},
        relations={},
        datasource=write.datasource,
        created_at=write.now,
        updated_at=write.now,
    )


def _without_null(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
