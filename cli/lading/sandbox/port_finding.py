"""The routes of Port's stand-in that give entities: one, all, by query, by who wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lading.sandbox.port_answers import as_entity
from lading.sandbox.port_call import Answer, Call, text, texts, within
from lading.sandbox.port_records import PortEntity, PortRefusal
from lading.sandbox.port_search import matches, page, query_fault, trimmed
from lading.sandbox.port_values import MOMENT

LARGEST_PAGE = 1_000
USUAL_PAGE = 200
LARGEST_DATASOURCE_PAGE = 5_000
SEARCH_SWITCHES = (
    "exclude_calculated_properties",
    "attach_title_to_relation",
    "allow_partial_results",
)


def answer(call: Call) -> Answer | None:
    """The answer of a route that reads entities; None if it is another."""
    match call.route:
        case ("GET", "v1", "blueprints", blueprint, "entities"):
            call.catalog.blueprint(blueprint)
            held = call.catalog.held(blueprint)
            return 200, {"ok": True, "entities": [as_entity(each) for each in held]}
        case ("GET", "v1", "blueprints", blueprint, "entities", identifier):
            entity = call.catalog.entity(blueprint, identifier)
            return 200, {"ok": True, "entity": as_entity(entity)}
        case ("GET", "v1", "blueprints", blueprint, "entities-count"):
            call.catalog.blueprint(blueprint)
            return 200, {"ok": True, "count": len(call.catalog.held(blueprint))}
        case ("POST", "v1", "blueprints", blueprint, "entities", "search"):
            return _search(call, blueprint)
        case ("POST", "v1", "blueprints", "entities", "datasource-entities"):
            return _of_datasource(call)
    return None


def _search(call: Call, blueprint: str) -> Answer:
    if "attach_title_to_relation" in call.switches(SEARCH_SWITCHES):
        raise PortRefusal(422, "the stand-in attaches no titles to relations")
    call.catalog.blueprint(blueprint)
    known = frozenset(("include", "exclude", "limit", "from"))
    body = call.fields(frozenset(("query",)), known)
    if fault := query_fault(body["query"], "body/query"):
        raise PortRefusal(422, fault)
    limit = within(body, "limit", LARGEST_PAGE, USUAL_PAGE)
    include, exclude = texts(body, "include"), texts(body, "exclude") or []
    cursor = text(body, "from")
    held = call.catalog.held(blueprint)
    given, following = page(held, lambda each: matches(each, body["query"]), limit, cursor)
    return 200, _page([trimmed(as_entity(each), include, exclude) for each in given], following)


def _of_datasource(call: Call) -> Answer:
    call.query(frozenset())
    required = frozenset(("datasource_prefix", "datasource_suffix", "limit"))
    body = call.fields(required, frozenset(("from", "before")))
    prefix, suffix = text(body, "datasource_prefix"), text(body, "datasource_suffix")
    limit, cursor = within(body, "limit", LARGEST_DATASOURCE_PAGE), text(body, "from")
    before = _moment(body, "before")

    def is_found(each: PortEntity) -> bool:
        is_young = before is not None and each.updated_at >= before
        return _is_of(each, str(prefix), str(suffix)) and not is_young

    given, following = page(call.catalog.entities.values(), is_found, limit, cursor)
    return 200, _page([as_entity(each) for each in given], following)


def _is_of(entity: PortEntity, prefix: str, suffix: str) -> bool:
    rest = entity.datasource.removeprefix(prefix)
    return entity.datasource.startswith(prefix) and rest.endswith(suffix)


def _moment(body: Mapping[str, Any], name: str) -> datetime | None:
    given = text(body, name)
    if given is None:
        return None
    if not MOMENT.fullmatch(given):
        raise PortRefusal(422, f'body/{name} must match format "date-time"')
    try:
        return datetime.fromisoformat(given.upper())
    except ValueError as error:
        raise PortRefusal(422, f'body/{name} must match format "date-time"') from error


def _page(entities: list[Mapping[str, Any]], following: str | None) -> Mapping[str, Any]:
    # Whether Port writes null or nothing after the last page is not documented.
    return {"ok": True, "entities": entities, **({"next": following} if following else {})}
