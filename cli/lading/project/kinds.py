"""The kinds that mappings may use, as the models' properties declare them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lading.errors import Place, Problem, nearest
from lading.project.documents import Document
from lading.project.model import Asks, Field, Kind


def read_kinds(
    properties: tuple[Document, ...], streams: frozenset[str] | None
) -> tuple[dict[str, Kind], tuple[Problem, ...]]:
    """Every kind under each of its names, and what is wrong with the declarations.

    `streams` are the names of all streams; None if they are not known.
    """
    kinds: dict[str, Kind] = {}
    problems: list[Problem] = []
    for document, index, model in _declared(properties):
        kind = _kind(document, index, model)
        problems.extend(_problems(document, index, kind, streams))
        for name in kind.names:
            if name in kinds:
                problems.append(
                    Problem(f"the kind '{name}' is declared at {kinds[name].place} too", kind.place)
                )
            kinds.setdefault(name, kind)
    return kinds, tuple(problems)


def _declared(properties: tuple[Document, ...]) -> Iterator[tuple[Document, int, dict[str, Any]]]:
    for document in properties:
        for index, model in enumerate(document.data.get("models") or []):
            if "kind" in model:
                yield document, index, model


def _kind(document: Document, index: int, model: Mapping[str, Any]) -> Kind:
    declared = model["kind"] or {}
    asks = declared.get("asks")
    return Kind(
        name=model["name"],
        names=(model["name"], *declared.get("aliases", ())),
        fields={
            name: Field(
                name,
                field["type"],
                tuple(field.get("values", ())),
                field.get("required", False),
                field.get("default"),
            )
            for name, field in declared.get("selector", {}).items()
        },
        exactly_one_of=tuple(tuple(group) for group in declared.get("exactly_one_of", ())),
        asks=Asks(
            asks["stream"],
            asks.get("width"),
            asks.get("dimensions"),
            tuple(asks.get("start", ())),
            asks.get("period"),
        )
        if asks
        else None,
        place=document.key_place("models", index, "kind"),
    )


def _problems(
    document: Document, index: int, kind: Kind, streams: frozenset[str] | None
) -> Iterator[Problem]:
    at = ("models", index, "kind")
    for number, group in enumerate(kind.exactly_one_of):
        yield from _unknown(kind, group, document.place(*at, "exactly_one_of", number))
    asks = kind.asks
    if asks is None:
        return
    if streams is not None and asks.stream not in streams:
        place = document.place(*at, "asks", "stream")
        yield Problem(f"unknown stream '{asks.stream}'", place, nearest(asks.stream, streams))
    named = (asks.width, asks.dimensions, *asks.start)
    yield from _unknown(kind, filter(None, named), document.place(*at, "asks"))


def _unknown(kind: Kind, named: Iterable[str], place: Place) -> Iterator[Problem]:
    for field in named:
        if field not in kind.fields:
            hint = nearest(field, kind.fields)
            yield Problem(f"the selector has no field '{field}'", place, hint)
