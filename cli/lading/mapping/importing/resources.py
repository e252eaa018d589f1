"""A mapping of one of Port's integrations, resource by resource, in the words of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lading.errors import UserError, nearest
from lading.mapping.importing.endpoints import (
    Rows,
    is_request,
    read_request,
    rows_of_list,
    rows_of_report,
)
from lading.mapping.paths import read_paths
from lading.project.model import Kind, Project

# What a resource and its parts may say here; of anything else Port's integrations take no notice.
KEYS = frozenset({"kind", "selector", "port", "name", "onDuplicate", "retention"})
PORT_KEYS = frozenset(
    {"entity", "itemsToParse", "itemsToParseName", "itemsToParseTopLevelTransform"}
)
ENTITY_KEYS = frozenset(
    {"identifier", "blueprint", "title", "icon", "team", "properties", "relations"}
)
# What Port's integration for Claude takes for `startingDate` where it is left out.
USUAL_START = "2025-01-01T00:00:00Z"
ENTERPRISE = "claude-ai-"

Written = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """A resource as the project has it, in sentences what is not as it was, and besides what is
    only said otherwise."""

    resource: Written
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a project has for mappings to map: kinds by all of their names, the models that are
    kinds of their own, and the streams by their paths."""

    kinds: Mapping[str, Kind]
    models: frozenset[str]
    streams: Mapping[str, str]

    @classmethod
    def of(cls, project: Project, all_kinds: Mapping[str, Kind]) -> Known:
        """As the project's files declare it."""
        streams = {
            stream["path"].rstrip("/"): stream["name"]
            for document in project.sources
            for source in document.data["sources"]
            for stream in source.get("streams", ())
        }
        models = frozenset(all_kinds) - frozenset(project.kinds)
        return cls(all_kinds, models, streams)

    def kind_of_stream(self, stream: str) -> Kind | None:
        """The kind that asks for a stream."""
        asking = (each for each in self.kinds.values() if each.asks and each.asks.stream == stream)
        return next(asking, None)


def take_over(written: Any, known: Known) -> Iterator[Taken]:
    """A resource in the project's words; several where it has several mappings.

    Raises:
        UserError: it can't be said here; the message says why, the hint what to do.
    """
    if not isinstance(written, Mapping) or not isinstance(written.get("kind"), str):
        raise UserError("it has no kind", hint="a resource has kind, selector and port")
    if not isinstance(written.get("selector") or {}, Mapping):
        raise UserError("its selector is no mapping", hint="write query: and the others below it")
    mappings = _mappings(written)
    taken = _of_request(written, known) if is_request(written) else _of_kind(written, known)
    for mapping in mappings:
        made = taken(mapping)
        if len(mappings) > 1:
            more = "each of its mappings is a resource of its own"
            made = replace(made, notes=(*made.notes, more))
        yield made


def _mappings(written: Written) -> tuple[Written, ...]:
    """The resource once for each of its mappings: Port's own format has room for several."""
    port = written.get("port")
    entity = port.get("entity") if isinstance(port, Mapping) else None
    mappings = entity.get("mappings") if isinstance(entity, Mapping) else None
    if not isinstance(port, Mapping) or not mappings:
        raise UserError("it has no port.entity.mappings", hint="nothing says what a row becomes")
    several = mappings if isinstance(mappings, list) else [mappings]
    if not all(isinstance(each, Mapping) for each in several):
        raise UserError("its mappings are no mapping of keys to expressions")
    return tuple(
        {**written, "port": {**port, "entity": {"mappings": mapping}}} for mapping in several
    )


def _of_kind(written: Written, known: Known) -> Callable[[Written], Taken]:
    """A resource of a kind that the project has: it stays as it is."""
    name = written["kind"]
    kind = known.kinds.get(name)
    if kind is None:
        raise UserError(f"the project has no kind '{name}'", hint=_about_kind(name, known))
    selector = dict(written.get("selector") or {})
    changes: tuple[str, ...] = ()
    start = kind.fields.get("startingDate")
    if start is not None and start.required and "startingDate" not in selector:
        selector["startingDate"] = USUAL_START
        changes = (f"startingDate is {USUAL_START}, as it is there if it is left out",)
    return lambda each: _cleaned({**each, "selector": selector}, changes)


def _about_kind(name: str, known: Known) -> str:
    if name.startswith(ENTERPRISE):
        return (
            "its figures are those of Claude Enterprise's analytics, which no source of this "
            "project reads"
        )
    return nearest(name, known.kinds)


def _of_request(written: Written, known: Known) -> Callable[[Written], Taken]:
    """A resource of the custom integration: its rows are those of a kind or of a model."""
    request = read_request(written)
    stream = known.streams.get(request.path)
    if stream is None:
        message = f"no source of the project has the endpoint {request.path}"
        raise UserError(message, hint=nearest(request.path, known.streams))
    kind = known.kind_of_stream(stream)
    if kind is not None:
        rows = rows_of_report(request, kind)
    else:
        rows = rows_of_list(request, stream, known.models)
    return lambda each: _on_rows(each, rows, request.path)


def _on_rows(written: Written, rows: Rows, path: str) -> Taken:
    if rows.items is not None and "itemsToParse" in written["port"]:
        message = "it splits what its data_path has split already"
        raise UserError(message, hint="write one expression of the two, as data_path")
    query = (written.get("selector") or {}).get("query", "true")
    port = {**written["port"]}
    port["entity"] = {"mappings": _moved(port["entity"]["mappings"], rows)}
    if "itemsToParse" in port:
        port["itemsToParse"] = _moved(port["itemsToParse"], rows)
    if rows.items is not None:
        port = {"itemsToParse": rows.items, "itemsToParseTopLevelTransform": False, **port}
    selector = {"query": _joined(_moved(query, rows), rows.conditions), **rows.selector}
    resource = {**written, "kind": rows.kind, "selector": selector, "port": port}
    return _cleaned(resource, rows.changes, (f"the kind was {path}", *rows.notes))


def _joined(query: Any, conditions: Iterable[str]) -> Any:
    """The query and the conditions that must hold besides."""
    said = [*conditions]
    if not said:
        return query
    return " and ".join(said if query in ("true", True) else [*said, f"({query})"])


def _moved(written: Any, rows: Rows) -> Any:
    """Expressions as they have to be for the rows; searches and lists have them within."""
    if isinstance(written, Mapping):
        return {key: _moved(value, rows) for key, value in written.items()}
    if isinstance(written, list):
        return [_moved(each, rows) for each in written]
    if not isinstance(written, str) or rows.relocation is None:
        return written
    if rows.known is not None:
        return _moved_to_columns(written, rows, rows.known)
    return rows.relocation.moved(written)


def _moved_to_columns(written: str, rows: Rows, known: frozenset[str]) -> str:
    """An expression for a row that has some of the record's members, under names of its own."""
    relocation = rows.relocation
    assert relocation is not None
    read = {path[0] if path else "." for path in read_paths(written)}
    if read - known:
        names = ", ".join(sorted(read - known))
        message = f"`{written}` reads {names}, which the rows of {rows.kind} do not have"
        hint = f"they have {', '.join(sorted(relocation.renamed.values()))}"
        raise UserError(message, hint=hint)
    columns = relocation.renamed
    members = ", ".join(f"{name}: .{columns[name]}" for name in sorted(read))
    return replace(relocation, record=f"{{{members}}}").moved(written)


def _cleaned(written: Written, changes: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Taken:
    """Without keys that nobody reads, in the order in which people write them."""
    port, mappings = written["port"], written["port"]["entity"]["mappings"]
    unread = [
        *(str(key) for key in written if key not in KEYS),
        *(f"port.{key}" for key in port if key not in PORT_KEYS),
        *(f"mappings.{key}" for key in mappings if key not in ENTITY_KEYS),
    ]
    resource = {key: written[key] for key in ("name", "kind") if key in written}
    resource["selector"] = written["selector"]
    resource |= {key: written[key] for key in ("onDuplicate", "retention") if key in written}
    resource["port"] = {key: port[key] for key in port if key in PORT_KEYS and key != "entity"}
    kept = {key: value for key, value in mappings.items() if key in ENTITY_KEYS}
    resource["port"]["entity"] = {"mappings": kept}
    said = (f"without {', '.join(unread)}, which Port does not read",) if unread else ()
    return Taken(resource, changes, (*notes, *said))
