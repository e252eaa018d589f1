"""Whether Port would take an entity: its identifier, its shape, its values by the blueprint.

Only what Port's reference rules out is refused here; what it leaves open goes to Port, which says
so if it does not like it. A blueprint is read once, and becomes a function for each property.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lading.mapping.evaluate import Failure
from lading.mapping.property_values import ValueCheck, shown, value_check

# Facts: Port's API reference, identifiers of entities.
LONGEST_IDENTIFIER = 1000
MARKS = "@_.+:\\/='-"
PLAIN = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9@_.+:\\/='-]{1,1000}")
COMBINATORS = ("and", "or")

Body = Mapping[str, Any]


@dataclass(slots=True)
class Fitness:
    """The check of a resource's entities, for one thread: called with a blueprint and a body, it
    gives what keeps Port from taking the entity.

    blueprint_of  a blueprint's body by its identifier; None if nothing is known of it, and only
                  the entity's own shape can be looked at
    merge         whether a property that an entity lacks stays as it is in Port
    """

    blueprint_of: Callable[[str], Body | None]
    merge: bool = True
    _rules: dict[str, _Rules] = field(default_factory=dict)

    def __call__(self, blueprint: str, body: Body) -> tuple[Failure, ...]:
        rules = self._rules.get(blueprint)
        if rules is None:
            rules = self._rules[blueprint] = _read(self.blueprint_of(blueprint) or {}, self.merge)
        # Most entities have nothing wrong with them: no generator is made for those.
        found = list(rules.of_properties(body.get("properties") or {}))
        if not (isinstance(body["identifier"], str) and PLAIN.fullmatch(body["identifier"])):
            found += _of_identifier(body["identifier"])
        found += _of_texts(body)
        if "relations" in body or rules.relations:
            found += rules.of_relations(body.get("relations") or {})
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Relation:
    many: bool


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a blueprint says. `required` are properties and `needed` relations that must not be
    null; with `whole` they must not be left out either."""

    values: Mapping[str, ValueCheck]
    required: frozenset[str]
    relations: Mapping[str, _Relation]
    needed: frozenset[str]
    whole: bool

    def of_properties(self, properties: Body) -> Iterator[Failure]:
        values, required = self.values, self.required
        for name, value in properties.items():
            if value is None:
                if name in required:
                    yield Failure(f"properties.{name}", "is null, and the blueprint requires it")
            elif (check := values.get(name)) is not None and (fault := check(value)):
                yield Failure(f"properties.{name}", fault)
        if self.whole:
            for name in sorted(required - properties.keys()):
                yield Failure(f"properties.{name}", _LEFT_OUT)

    def of_relations(self, relations: Body) -> Iterator[Failure]:
        for name, value in relations.items():
            if value is not None:
                fault = _relation_fault(value, self.relations.get(name))
            else:
                fault = "is null, and the blueprint requires it" if name in self.needed else None
            if fault:
                yield Failure(f"relations.{name}", fault)
        if self.whole:
            for name in sorted(self.needed - relations.keys()):
                yield Failure(f"relations.{name}", _LEFT_OUT)


_LEFT_OUT = (
    "is required by the blueprint, and not mapped; without enableMergeEntity nothing stays of what"
    " Port has"
)


def _read(blueprint: Body, merge: bool) -> _Rules:
    schema = blueprint.get("schema") or {}
    properties = schema.get("properties") or {}
    relations = blueprint.get("relations") or {}
    checks = {name: value_check(definition) for name, definition in properties.items()}
    return _Rules(
        values={name: check for name, check in checks.items() if check is not None},
        required=frozenset(schema.get("required") or ()),
        relations={name: _Relation(bool(each.get("many"))) for name, each in relations.items()},
        needed=frozenset(name for name, each in relations.items() if each.get("required")),
        whole=not merge,
    )


def _of_identifier(identifier: Any) -> Iterator[Failure]:
    is_search = isinstance(identifier, dict)
    fault = search_fault(identifier) if is_search else identifier_fault(identifier)
    if fault:
        yield Failure("identifier", fault)


def _of_texts(body: Body) -> Iterator[Failure]:
    title, team = body.get("title"), body.get("team")
    if title is not None and not isinstance(title, str):
        yield Failure("title", f"is {shown(title)}, not a text")
    if team is not None and not isinstance(team, str):
        fault = search_fault(team) if isinstance(team, dict) else _teams_fault(team)
        if fault:
            yield Failure("team", fault)


def _teams_fault(team: Any) -> str | None:
    if isinstance(team, list) and all(isinstance(each, str) for each in team):
        return None
    return f"is {shown(team)}, not a text or a list of texts"


def identifier_fault(identifier: Any) -> str | None:
    """What keeps a value from being an entity's identifier."""
    if not isinstance(identifier, str):
        return f"is {shown(identifier)}, not a text"
    if not identifier:
        return "is empty"
    if len(identifier) > LONGEST_IDENTIFIER:
        return f"has {len(identifier):,} characters, and {LONGEST_IDENTIFIER:,} are the most"
    if identifier in {".", ".."}:
        return f"is {shown(identifier)}, which Port does not take"
    bad = [each for each in dict.fromkeys(identifier) if not _is_allowed(each)]
    if not bad:
        return None
    named = " ".join(shown(each) for each in bad)
    return f"has {named} in it, and Port takes letters, digits and {_MARKS} alone"


_MARKS = " ".join(MARKS)


def _is_allowed(character: str) -> bool:
    # Whether digits are 0 to 9 alone is nowhere said.
    return character.isalpha() or character.isdecimal() or character in MARKS


def _relation_fault(value: Any, relation: _Relation | None) -> str | None:
    if isinstance(value, dict):
        return search_fault(value)
    if relation is not None and isinstance(value, list) != relation.many:
        if relation.many:
            return f"is {shown(value)}, and the relation is to many: a list"
        return f"is {shown(value)}, and the relation is to one entity: a text"
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str):
            return f"is {shown(value)}, not {'texts' if relation and relation.many else 'a text'}"
        # Port may take an empty text for none.
        if each != "" and (fault := identifier_fault(each)):
            return f"leads to {shown(each)}, which {fault}"
    return None


def search_fault(search: Body) -> str | None:
    """What keeps an object from being a search for an entity."""
    combinator = search.get("combinator")
    if combinator not in COMBINATORS:
        return f'is a search whose combinator is {shown(combinator)}, not "and" or "or"'
    rules = search.get("rules")
    if not isinstance(rules, list):
        return f"is a search whose rules are {shown(rules)}, not a list"
    for rule in rules:
        if not isinstance(rule, dict):
            return f"is a search with a rule that is {shown(rule)}, not an object"
        if "rules" in rule:
            if fault := search_fault(rule):
                return fault
            continue
        for key in ("property", "operator"):
            if not isinstance(rule.get(key), str):
                return f"is a search with a rule whose {key} is {shown(rule.get(key))}, not a text"
    return None
