"""What models/**/*.yml say of the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, nearest
from lading.transform.config import Config, read_config

if TYPE_CHECKING:
    from lading.project.documents import Document
    from lading.project.model import Project
    from lading.transform.files import ModelFile


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
    config: Config = field(default_factory=Config)
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
    return Properties(
        description=(entry.get("description") or "").strip(),
        config=read_config({**_beside(entry), **(entry.get("config") or {})}),
        columns=tuple(
            Column(each["name"], (each.get("description") or "").strip(), each.get("data_type"))
            for each in entry.get("columns") or ()
        ),
        place=place,
    )


def _beside(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that may stand beside `config:` as well."""
    return {key: entry[key] for key in ("tags", "contract") if key in entry}


def _problems(
    document: Document, index: int, entry: Mapping[str, Any], files: Mapping[str, ModelFile]
) -> Iterator[Problem]:
    name, at = entry["name"], ("models", index)
    model = files.get(name)
    if model is None:
        place = document.place(*at, "name")
        yield Problem(f"there is no model '{name}'", place, nearest(name, files))
    elif model.is_resource and "materialized" in (entry.get("config") or {}):
        place = document.key_place(*at, "config", "materialized")
        message = f"'{name}' is rendered for each mapping, and never made in the database"
        yield Problem(message, place, "leave materialized out")
    elif not model.is_resource and "kind" in entry:
        place = document.key_place(*at, "kind")
        message = f"'{name}' is no resource model, so it can't have a kind"
        yield Problem(message, place, f"move {model.file} to models/resources/, or leave kind out")
