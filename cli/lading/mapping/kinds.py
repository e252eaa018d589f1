"""What a mapping's `kind` may be: a declared kind, or any other model, whose rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from lading.errors import Place
from lading.project.model import Kind, Project

# The folder of models that are rendered for each mapping; one without a kind is an error there.
RESOURCES = "resources"


def all_kinds(project: Project) -> Mapping[str, Kind]:
    """The project's kinds by all of their names, and each other model as a kind of its own name,
    with no selector but `query`."""
    models = {name: _plain(name, place) for name, place in _models(project)}
    return {**models, **project.kinds}


def _models(project: Project) -> Iterator[tuple[str, Place]]:
    for file in project.models:
        if RESOURCES not in PurePath(file.file).parts:
            yield file.name, Place(file.file)
    for document in project.properties:
        for index, entry in enumerate(document.data.get("models") or ()):
            if "rollup" in entry:
                yield entry["name"], document.place("models", index)


def _plain(name: str, place: Place) -> Kind:
    return Kind(name, (name,), {}, (), None, place)
