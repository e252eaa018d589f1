"""What models/**/*.yml say of the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, nearest

if TYPE_CHECKING:
    from lading.project.documents import Document
    from lading.project.model import Project
    from lading.transform.files import ModelFile
    from lading.transform.words import Materialization


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its model's properties describe it."""

    name: str
    description: str = ""
    data_type: str | None = None


@dataclass(frozen=True, slots=True)
class Properties:
    """One model's entry; without one, all of it is empty."""

    description: str = ""
    materialized: Materialization | None = None
    tags: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    place: Place | None = None


def read_properties(
    project: Project, files: Mapping[str, ModelFile]
) -> tuple[Mapping[str, Properties], tuple[Problem, ...]]:
    """Each model's properties by its name, and the entries that fit no model."""
    read: dict[str, Properties] = {}
    problems: list[Problem] = []
    for document, index, entry in _entries(project):
        place = document.place("models", index, "name")
        problems.extend(_problems(document, index, entry, files))
        if entry["name"] in read:
            first = read[entry["name"]].place
            message = f"the model '{entry['name']}' is described at {first} too"
            problems.append(Problem(message, place, "put the two together"))
        read.setdefault(entry["name"], _properties(entry, place))
    return read, tuple(problems)


def _entries(project: Project) -> Iterator[tuple[Document, int, Mapping[str, Any]]]:
    for document in project.properties:
        for index, entry in enumerate(document.data.get("models") or ()):
            yield document, index, entry


def _properties(entry: Mapping[str, Any], place: Place) -> Properties:
    config = entry.get("config") or {}
    return Properties(
        description=(entry.get("description") or "").strip(),
        materialized=config.get("materialized"),
        tags=tuple(config.get("tags") or ()),
        columns=tuple(
            Column(each["name"], (each.get("description") or "").strip(), each.get("data_type"))
            for each in entry.get("columns") or ()
        ),
        place=place,
    )


def _problems(
    document: Document, index: int, entry: Mapping[str, Any], files: Mapping[str, ModelFile]
) -> Iterator[Problem]:
    name, at = entry["name"], ("models", index)
    model = files.get(name)
    if model is None:
        place = document.place(*at, "name")
        yield Problem(f"there is no model '{name}'", place, nearest(name, files))
    elif "rollup" in entry and not model.is_rollup:
        place = document.key_place(*at, "rollup")
        message = f"'{name}' has a file of its own, {model.file}, so it can't be a roll-up"
        yield Problem(message, place, "leave rollup out, or remove the file")
    elif model.is_resource and "materialized" in (entry.get("config") or {}):
        place = document.key_place(*at, "config", "materialized")
        message = f"'{name}' is rendered for each mapping, and never made in the database"
        yield Problem(message, place, "leave materialized out")
    elif not model.is_resource and "kind" in entry:
        place = document.key_place(*at, "kind")
        message = f"'{name}' is no resource model, so it can't have a kind"
        yield Problem(message, place, f"move {model.file} to models/resources/, or leave kind out")
