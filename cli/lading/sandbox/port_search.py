"""Finding entities: the queries that Port takes, and pages that hold while others write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from lading.sandbox.port_records import PortEntity, PortRefusal

META: Mapping[str, Callable[[PortEntity], Any]] = {
    "$identifier": lambda entity: entity.identifier,
    "$title": lambda entity: entity.title,
    "$icon": lambda entity: entity.icon,
    "$team": lambda entity: list(entity.team) or None,
    "$blueprint": lambda entity: entity.blueprint,
    "$createdAt": lambda entity: entity.created_at.isoformat(),
    "$updatedAt": lambda entity: entity.updated_at.isoformat(),
    "$datasource": lambda entity: entity.datasource,
}


def query_fault(query: object, place: str) -> str | None:
    """What is wrong with a query or one of its rules, if anything; `place` is how to name it."""
    return next(_query_faults(query, place), None)


def _query_faults(query: object, place: str) -> Iterator[str]:
    if not isinstance(query, dict) or query.keys() != {"combinator", "rules"}:
        yield f"{place} must have combinator and rules, and nothing else"
    elif query["combinator"] not in ("and", "or"):
        yield f"{place}/combinator must be equal to one of the allowed values"
    elif not isinstance(query["rules"], list):
        yield f"{place}/rules must be array"
    else:
        for index, rule in enumerate(query["rules"]):
            nested = isinstance(rule, dict) and "combinator" in rule
            yield from (_query_faults if nested else _rule_faults)(rule, f"{place}/rules/{index}")


def _rule_faults(rule: object, place: str) -> Iterator[str]:
    if not isinstance(rule, dict) or not isinstance(rule.get("property"), str):
        yield f"{place} must have a property"
    elif rule["property"].startswith("$") and rule["property"] not in META:
        yield f'{place}: the stand-in does not know the property "{rule["property"]}"'
    elif not isinstance(rule.get("operator"), str) or rule["operator"] not in _OPERATORS:
        yield f'{place}: the stand-in does not know the operator "{rule.get("operator")}"'
    else:
        takes, _ = _OPERATORS[rule["operator"]]
        keys = {"property", "operator", *(() if takes is None else ("value",))}
        if rule.keys() != keys:
            yield f"{place} must have {sorted(keys)}, and nothing else"
        elif takes is not None and not takes(rule["value"]):
            yield f"{place}/value does not suit the operator {rule['operator']}"


def matches(entity: PortEntity, query: Mapping[str, Any]) -> bool:
    """Whether a query without fault finds the entity."""
    if "combinator" in query:
        matched = (matches(entity, rule) for rule in query["rules"])
        return all(matched) if query["combinator"] == "and" else any(matched)
    name = query["property"]
    held = META[name](entity) if name in META else entity.properties.get(name)
    _, test = _OPERATORS[query["operator"]]
    return test(held, query.get("value"))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_single(value: object) -> bool:
    return value is not None and not isinstance(value, (list, dict))


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_single, value))


def _same(held: Any, value: Any) -> bool:
    # To Python, true is 1.
    return isinstance(held, bool) == isinstance(value, bool) and bool(held == value)


def _contains(held: Any, value: str) -> bool:
    return isinstance(held, (str, list)) and value in held


def _in(held: Any, value: list[Any]) -> bool:
    items = held if isinstance(held, list) else [held]
    return any(_same(item, each) for item in items for each in value)


# What the operator takes as a value (None: it takes none), and when it holds. Upper and lower case
# are told apart; what Port does there is not documented.
_OPERATORS: Mapping[str, tuple[Callable[[object], bool] | None, Callable[[Any, Any], bool]]] = {
    "=": (_is_single, _same),
    "!=": (_is_single, lambda held, value: not _same(held, value)),
    "contains": (_is_text, _contains),
    "doesNotContains": (_is_text, lambda held, value: not _contains(held, value)),
    "beginsWith": (_is_text, lambda held, value: isinstance(held, str) and held.startswith(value)),
    "endsWith": (_is_text, lambda held, value: isinstance(held, str) and held.endswith(value)),
    "in": (_is_list, _in),
    "containsAny": (_is_list, _in),
    "notIn": (_is_list, lambda held, value: not _in(held, value)),
    "isEmpty": (None, lambda held, _: held is None),
    "isNotEmpty": (None, lambda held, _: held is not None),
}


def page(
    entities: Iterable[PortEntity],
    is_found: Callable[[PortEntity], bool],
    limit: int,
    cursor: str | None,
) -> tuple[list[PortEntity], str | None]:
    """At most `limit` of the entities that are found, by blueprint and identifier, and the cursor
    of the rest, if any.

    The cursor names the last entity given, so that what is written or deleted between two pages
    neither repeats nor hides any other.

    Raises:
        PortRefusal: it is no cursor of this stand-in's.
    """
    after = ("", "") if cursor is None else _position(cursor)
    rest = sorted((each for each in entities if _key(each) > after), key=_key)
    # A query takes longer than a comparison: it is asked of no more than the page needs.
    found = list(islice(filter(is_found, rest), limit + 1))
    given = found[:limit]
    return given, _cursor(given[-1]) if len(found) > limit else None


def _key(entity: PortEntity) -> tuple[str, str]:
    return entity.blueprint, entity.identifier


def _cursor(last: PortEntity) -> str:
    return base64.urlsafe_b64encode(json.dumps(_key(last)).encode()).decode()


def _position(cursor: str) -> tuple[str, str]:
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except ValueError as error:
        raise PortRefusal(422, "body/from is no cursor") from error
    match position:
        case [str(blueprint), str(identifier)]:
            return blueprint, identifier
    raise PortRefusal(422, "body/from is no cursor")


def trimmed(
    entity: Mapping[str, Any], include: list[str] | None, exclude: list[str]
) -> Mapping[str, Any]:
    """An answer's entity with only the fields asked for: `title`, `properties`, `properties.x`."""
    kept: dict[str, Any] = {}
    for key, value in entity.items():
        if key in ("properties", "relations") and _is_begun(key, include, exclude):
            wanted = (name for name in value if _is_wanted(f"{key}.{name}", include, exclude))
            kept[key] = {name: value[name] for name in wanted}
        elif _is_wanted(key, include, exclude):
            kept[key] = value
    return kept


def _is_begun(key: str, include: list[str] | None, exclude: list[str]) -> bool:
    named = include is None or any(field.partition(".")[0] == key for field in include)
    return named and key not in exclude


def _is_wanted(field: str, include: list[str] | None, exclude: list[str]) -> bool:
    names = {field, field.partition(".")[0]}
    return (include is None or not names.isdisjoint(include)) and names.isdisjoint(exclude)
