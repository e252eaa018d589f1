"""Requests of Port's custom integration, as the kinds and selectors that have the same rows.

There a resource's kind is the path of an endpoint, and its selector has the query parameters and,
as `data_path`, where the records are in an answer. Facts: Port's pages on the custom integration,
and the mapping for Claude that they had for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lading.errors import UserError
from lading.mapping.importing.relocation import Relocation
from lading.project.model import Kind

# Of a request these say nothing about what is in the answer.
PAGING = frozenset({"limit", "page", "after_id", "before_id"})
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
PAGES = re.compile(r"\s*\.data(?:\[\])?\??\s*")
RESULTS = re.compile(r"\s*\.data\[\]\??\s*\|?\s*\.results(?:\[\])?\??\s*")
FLATTENED = re.compile(
    r"""\s*\.data\[\]\s*\|\s*
    (?:select\(\s*\.results\s*\|\s*length\s*>\s*0\s*\)\s*\|\s*)?
    \.\s+as\s+\$(?P<bucket>\w+)\s*\|\s*\.results\[\]\s*\|\s*\.\s*\+\s*
    \{(?P<members>(?:\s*\w+\s*:\s*\$(?P=bucket)\.\w+\s*,?)+)\}\s*""",
    re.VERBOSE,
)
MEMBER = re.compile(r"(\w+)\s*:\s*\$\w+\.(\w+)")
ANY_RECORDS = re.compile(r"\s*\.data\[\]\s*\|(?P<of_each>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """What a resource asked for: the endpoint's path, parameters (each with its values), and the
    keys of its selector."""

    path: str
    parameters: Mapping[str, tuple[Any, ...]]
    selector: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the records of a request are now.

    Attributes:
        kind: what the resource's kind is here.
        selector: without `query`.
        items: `itemsToParse`, where a row has to be split.
        relocation: for expressions, where a row is not the record that they were written for.
        conditions: JQ on the row that must hold besides the query.
        changes: what is not as it was, in sentences; `notes` what is only said otherwise.
        known: the members that a record has in the row; None if it has all.
    """

    kind: str
    selector: Mapping[str, Any] = field(default_factory=dict)
    items: str | None = None
    relocation: Relocation | None = None
    conditions: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    known: frozenset[str] | None = None


def is_request(resource: Mapping[str, Any]) -> bool:
    """Whether a resource is one of the custom integration's."""
    kind, selector = str(resource.get("kind", "")), resource.get("selector")
    named = isinstance(selector, Mapping) and bool({"endpoint", "data_path"} & selector.keys())
    return kind.startswith("/") or "://" in kind or named


def read_request(resource: Mapping[str, Any]) -> Request:
    """What it asks for.

    Raises:
        UserError: it asks in a way that no report is fetched in.
    """
    selector = resource.get("selector") or {}
    try:
        address = urlsplit(str(selector.get("endpoint") or resource["kind"]))
    except ValueError as error:
        raise UserError("its kind is no address", hint="write the endpoint's path") from error
    parameters: dict[str, tuple[Any, ...]] = {}
    given = selector.get("query_params") or {}
    if not isinstance(given, Mapping):
        raise UserError("query_params is no mapping", hint="write name: value below it")
    for name, value in (*parse_qsl(address.query, keep_blank_values=True), *given.items()):
        values = value if isinstance(value, list) else [value]
        key = str(name).removesuffix("[]")
        parameters[key] = (*parameters.get(key, ()), *values)
    _check_way(selector)
    return Request(address.path.rstrip("/"), parameters, selector)


def _check_way(selector: Mapping[str, Any]) -> None:
    if str(selector.get("method", "GET")).upper() != "GET":
        message = f"it is asked for with {selector['method']}, and no report is"
        raise UserError(message, hint="see Anthropic's Admin API reference for what there is")
    for key in ("body", "path_parameters", "dynamic_query_params"):
        if selector.get(key):
            hint = "declare what has to be fetched in sources/, and write the resource anew"
            raise UserError(f"its selector has {key}, which has no counterpart", hint=hint)


def rows_of_report(request: Request, kind: Kind) -> Rows:
    """A report's rows: those of a kind that asks for its stream.

    Raises:
        UserError: there is no telling what the same rows would be.
    """
    selector: dict[str, Any] = {}
    changes: list[str] = []
    conditions: list[str] = []
    for name, values in request.parameters.items():
        if name == "starting_at":
            selector |= _start(kind, values, changes)
        elif name == "ending_at":
            conditions += _end(kind, values, changes)
        elif name == "bucket_width":
            selector |= _width(kind, values)
        elif name == "group_by":
            selector |= _dimensions(kind, values)
        elif name not in PAGING:
            _refuse_parameter(name)
    items, relocation = _records(request)
    return Rows(
        kind.name,
        {name: selector[name] for name in kind.fields if name in selector},
        items,
        relocation,
        tuple(conditions),
        tuple(changes),
        tuple(_notes(request)),
    )


def _refuse_parameter(name: str) -> None:
    hint = (
        "leave it out of what you import; where it narrows a report down, group by that dimension "
        "and say which values count in selector.query"
    )
    raise UserError(f"the parameter {name} has no counterpart", hint=hint)


def _start(kind: Kind, values: tuple[Any, ...], changes: list[str]) -> Mapping[str, Any]:
    names = kind.asks.start if kind.asks else ()
    for name in names:
        of_type = kind.fields[name].type
        if of_type in {"timestamp", "date"}:
            moment = _moment("starting_at", values)
            written = f"{moment:{MOMENT}}" if of_type == "timestamp" else f"{moment:%Y-%m-%d}"
            if of_type == "date":
                changes.append(f"one day was asked for; here it is each day from {written} on")
            return {name: written}
    raise UserError(f"the kind {kind.name} begins at no moment", hint="see its selector's fields")


def _end(kind: Kind, values: tuple[Any, ...], changes: list[str]) -> Iterator[str]:
    period = kind.asks.period if kind.asks else None
    try:
        moment = _moment("ending_at", values)
    except UserError:
        changes.append("ending_at is no moment: the rows go on to the present")
        return
    if period is not None:
        yield f'.{period} < "{moment:{MOMENT}}"'


def _moment(name: str, values: tuple[Any, ...]) -> datetime:
    """A moment in UTC, to the second."""
    try:
        (value,) = values
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        message = f"{name} is no moment, but {_shown(values)}"
        hint = "write the moment itself, such as '2026-01-01T00:00:00Z', into what you import"
        raise UserError(message, hint=hint) from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


def _width(kind: Kind, values: tuple[Any, ...]) -> Mapping[str, Any]:
    name = kind.asks.width if kind.asks else None
    if name is None or len(values) != 1 or values[0] not in kind.fields[name].values:
        message = f"the kind {kind.name} has no buckets of {_shown(values)}"
        known = f"it has {', '.join(kind.fields[name].values)}" if name else "it has days alone"
        raise UserError(message, hint=known)
    return {name: values[0]}


def _dimensions(kind: Kind, values: tuple[Any, ...]) -> Mapping[str, Any]:
    name = kind.asks.dimensions if kind.asks else None
    if name is None:
        message = f"the kind {kind.name} is not grouped, and this is by {_shown(values)}"
        raise UserError(message, hint="map the rows of a model that is: `lading ls` lists them")
    wanted = [part for each in values for part in str(each).split(",")]
    unknown = [each for each in wanted if each not in kind.fields[name].values]
    if unknown:
        message = f"the kind {kind.name} is not grouped by {_shown(unknown)}"
        raise UserError(message, hint=f"it is by any of {', '.join(kind.fields[name].values)}")
    return {name: wanted}


def _notes(request: Request) -> Iterator[str]:
    if headers := request.selector.get("headers"):
        names = ", ".join(map(str, headers))
        yield f"the headers ({names}) are left to the connection in project.yml"


def _records(request: Request) -> tuple[str | None, Relocation | None]:
    """`itemsToParse` and how expressions find their record, by where the records were."""
    data_path = str(request.selector.get("data_path") or ".")
    if PAGES.fullmatch(data_path):
        return None, None
    if RESULTS.fullmatch(data_path):
        return ".results", Relocation(".item", "item.")
    if found := FLATTENED.fullmatch(data_path):
        members = dict(MEMBER.findall(found["members"]))
        added = ", ".join(f"{name}: .{key}" for name, key in members.items())
        return ".results", Relocation(f".item + {{{added}}}", "item.", members)
    if found := ANY_RECORDS.fullmatch(data_path):
        return f"[{found['of_each'].strip()}]", Relocation(".item", "item.")
    message = f"its data_path, {data_path}, does not go through .data[]"
    raise UserError(message, hint="write it as .data[], or .data[] | … for what comes of each")


@dataclass(frozen=True, slots=True)
class ListModel:
    """The model that holds a list of the Admin API: its name, and its columns by the members of
    the list's records."""

    name: str
    columns: Mapping[str, str]


# Those of the starter project. The moments are in the same form in rows and in answers.
LISTS: Mapping[str, ListModel] = {
    "workspaces": ListModel(
        "workspace_records",
        {"id": "workspace_id"}
        | {each: each for each in ("name", "created_at", "archived_at", "display_color", "tags")},
    ),
    "api_keys": ListModel(
        "api_key_records",
        {"id": "api_key_id"}
        | {each: each for each in ("name", "status", "created_at", "partial_key_hint")},
    ),
    "users": ListModel(
        "user_records",
        {"id": "user_id"} | {each: each for each in ("name", "email", "role", "added_at")},
    ),
    "organization": ListModel("organization_records", {"id": "organization_id", "name": "name"}),
}


def rows_of_list(request: Request, stream: str, models: Iterable[str]) -> Rows:
    """A list's members: the rows of the model that holds them.

    Raises:
        UserError: no model does, or not what was asked for.
    """
    model = LISTS.get(stream)
    if model is None or model.name not in set(models):
        message = f"no model of the project is known to hold {request.path}"
        hint = f"write a model that reads the stream {stream}, and map its rows"
        raise UserError(message, hint=hint)
    conditions = [".vanished_at == null"]
    for name in request.parameters:
        if name not in PAGING and (stream, name) != ("workspaces", "include_archived"):
            _refuse_parameter(name)
    if stream == "workspaces" and not _is_true(request.parameters.get("include_archived")):
        conditions.append(".archived_at == null")
    if stream != "organization" and not PAGES.fullmatch(str(request.selector.get("data_path"))):
        message = f"its data_path, {request.selector.get('data_path')}, is not .data[]"
        raise UserError(message, hint="a list has a row for each of its members")
    return Rows(
        model.name,
        relocation=Relocation(".", "", model.columns),
        conditions=tuple(conditions),
        notes=(*_notes(request), f"the rows are those of the model {model.name}"),
        known=frozenset(model.columns),
    )


def _is_true(values: tuple[Any, ...] | None) -> bool:
    return values is not None and str(values[-1]).lower() == "true"


def _shown(values: Iterable[Any]) -> str:
    return ", ".join(str(each) for each in values)
