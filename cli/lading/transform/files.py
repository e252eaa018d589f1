"""Which models there are, by their files alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lading.errors import Place, Problem
from lading.transform.names import relation

if TYPE_CHECKING:
    from lading.project.documents import TextFile
    from lading.project.model import Project

RESOURCES = "resources"
DEFAULT_SCHEMA = "main"
# Schemas that hold what was fetched and what this package notes down, or that are DuckDB's own.
TAKEN = frozenset(
    {"raw", "raw_history", "lading", "temp", "system", "information_schema", "pg_catalog"}
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file, and where its content will stand in the database."""

    name: str
    schema: str
    file: str
    text: str

    @property
    def relation(self) -> str:
        """`schema.name` as SQL."""
        return relation(self.schema, self.name)

    @property
    def is_resource(self) -> bool:
        """Whether it is rendered for each mapping instead of being made once."""
        return self.schema == RESOURCES


def model_files(project: Project) -> tuple[Mapping[str, ModelFile], tuple[Problem, ...]]:
    """Each model by its name, sorted; of two of one name, the first, and a problem."""
    found: dict[str, ModelFile] = {}
    seen: dict[str, str] = {}
    problems: list[Problem] = []
    for text in sorted(project.models, key=lambda each: each.file):
        model = _model_file(text)
        problems.extend(_problems(model, seen.get(model.name.casefold())))
        # DuckDB makes no difference between capital and small letters in a name.
        if seen.setdefault(model.name.casefold(), model.file) == model.file:
            found[model.name] = model
    return dict(sorted(found.items())), tuple(problems)


def _model_file(text: TextFile) -> ModelFile:
    folders = PurePosixPath(text.file).parts[1:-1]
    return ModelFile(text.name, folders[0] if folders else DEFAULT_SCHEMA, text.file, text.text)


def _problems(model: ModelFile, twin: str | None) -> list[Problem]:
    found = []
    if twin is not None:
        message = f"there are two models '{model.name}': the other one is {twin}"
        hint = "a model is called as its file is: rename one"
        found.append(Problem(message, Place(model.file), hint))
    if model.schema.casefold() in TAKEN:
        message = f"models can't be in a folder '{model.schema}': the schema of that name is taken"
        found.append(Problem(message, Place(model.file), "move the file to another folder"))
    return found
