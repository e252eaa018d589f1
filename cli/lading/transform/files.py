"""Which models there are: those with a file of their own, and the roll-ups of properties files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lading.errors import Place, Problem
from lading.transform.names import relation
from lading.transform.rollups import read_rollups

if TYPE_CHECKING:
    from lading.project.documents import TextFile
    from lading.project.model import Project

RESOURCES = "resources"
DEFAULT_SCHEMA = "main"
# Schemas that hold what was fetched and what this package notes down, or that are DuckDB's own.
TAKEN = frozenset(
    {"raw", "raw_history", "files", "lading", "lading_tests"}
    | {"temp", "system", "information_schema", "pg_catalog"}
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's template, the file it comes from, and where its content will stand in the
    database. Of a text that was made from the file, `lines` are the places that its lines come
    from, and `faults` what is wrong with what it was made from."""

    name: str
    schema: str
    file: str
    text: str
    lines: tuple[Place, ...] = ()
    faults: tuple[Problem, ...] = ()

    @property
    def relation(self) -> str:
        """`schema.name` as SQL."""
        return relation(self.schema, self.name)

    @property
    def is_resource(self) -> bool:
        """Whether it is rendered for each mapping instead of being made once."""
        return self.schema == RESOURCES

    @property
    def is_rollup(self) -> bool:
        """Whether properties say what it is, and it has no file of its own."""
        return bool(self.lines)

    def at_home(self, place: Place) -> Place:
        """A place in the text as the place in the file."""
        if not self.lines or place.file != self.file:
            return place
        if place.line is None:
            return self.lines[0]
        return self.lines[min(place.line, len(self.lines)) - 1]


def model_files(project: Project) -> tuple[Mapping[str, ModelFile], tuple[Problem, ...]]:
    """Each model by its name, sorted; of two of one name, the first, and a problem."""
    found: dict[str, ModelFile] = {}
    seen: dict[str, str] = {}
    problems: list[Problem] = []
    files = [_model_file(text) for text in sorted(project.models, key=lambda each: each.file)]
    for model in (*files, *_rollups(project, files)):
        # DuckDB makes no difference between capital and small letters in a name.
        twin = found.get(seen.setdefault(model.name.casefold(), model.name))
        if twin is None:
            found[model.name] = model
        problems.extend(_problems(model, twin))
    return dict(sorted(found.items())), tuple(problems)


def _model_file(text: TextFile) -> ModelFile:
    return ModelFile(text.name, _schema(text.file), text.file, text.text)


def _rollups(project: Project, files: list[ModelFile]) -> Iterator[ModelFile]:
    for each in read_rollups(project, {model.name for model in files}):
        schema, faults = _schema(each.file), each.faults
        if schema == RESOURCES:
            message = f"'{each.name}' can't be here: models/resources/ is for what mappings ask for"
            hint = "move the roll-up to a file in another folder"
            schema, faults = DEFAULT_SCHEMA, (*faults, Problem(message, each.lines[0], hint))
        yield ModelFile(each.name, schema, each.file, each.text, each.lines, faults)


def _schema(file: str) -> str:
    folders = PurePosixPath(file).parts[1:-1]
    return folders[0] if folders else DEFAULT_SCHEMA


def _problems(model: ModelFile, twin: ModelFile | None) -> list[Problem]:
    found = []
    place = model.at_home(Place(model.file))
    # Of two descriptions of one model, the properties tell.
    if twin is not None and not (model.is_rollup and model.name == twin.name):
        message = f"there are two models '{model.name}': the other one is {twin.file}"
        hint = "rename one" if model.is_rollup else "a model is called as its file is: rename one"
        found.append(Problem(message, place, hint))
    if model.schema.casefold() in TAKEN:
        message = f"models can't be in a folder '{model.schema}': the schema of that name is taken"
        found.append(Problem(message, place, "move the file to another folder"))
    return found
