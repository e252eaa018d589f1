"""The words that a model may say: `ref`, `source`, `var`, `env_var`, `config` and
`is_incremental`.

Each takes what was written between its parentheses and gives what stands in its place, or
raises a `UserError` that says what is wrong. None remembers anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lading.errors import UserError, nearest
from lading.project.model import Project
from lading.secrets import redact
from lading.transform.config import Config, read_config
from lading.transform.files import ModelFile
from lading.transform.names import relation
from lading.transform.test_settings import USAGE as CONFIG_OF_TESTS
from lading.transform.test_settings import TestTemplate, settings_in_template

RAW = "raw"
FILES = "files"
# Words in a variable's name that say that its value is not to be seen.
SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)(?:_|$)", re.I)

USAGE = {
    "ref": "ref('model')",
    "source": "source('source', 'stream')",
    "var": "var('name') or var('name', default)",
    "env_var": "env_var('NAME', 'default')",
    "config": "config(materialized='table', tags=['…'])",
    "is_incremental": "is_incremental()",
}


# What says a word: a model's file, or the SQL of a test.
Asker = ModelFile | TestTemplate


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A stream or a file of a source, as a model reads it."""

    source: str
    stream: str
    schema: str = RAW

    @property
    def id(self) -> str:
        """The name of its node."""
        return f"source.{self.source}.{self.stream}"

    @property
    def relation(self) -> str:
        """The table that it lands in, as SQL."""
        return relation(self.schema, self.stream)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of the project."""
        return self.schema == FILES


@dataclass(frozen=True, slots=True)
class Words:
    """The words, and all names that they may be said with."""

    files: Mapping[str, ModelFile]
    sources: Mapping[str, Mapping[str, SourceTable]]
    all_sources_known: bool
    variables: Mapping[str, Any]
    environment: Mapping[str, str]

    def ask(
        self, model: Asker | None, word: str, args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Any:
        """What `word(*args, **named)` means in a model or a test (None: in a macro).

        Raises:
            UserError: the word is misused, or names something that is not there.
        """
        is_test = isinstance(model, TestTemplate)
        meanings: dict[str, Callable[..., Any]] = {
            "ref": self.ref,
            "source": self.source,
            "var": self.var,
            "env_var": self.env_var,
            "config": settings_in_template if is_test else self.config,
            "is_incremental": self.is_incremental,
        }
        try:
            meaning = meanings[word](*args, **named)
        except TypeError as error:
            usage = CONFIG_OF_TESTS if is_test and word == "config" else USAGE[word]
            raise UserError(f"{word} is not used like this", hint=f"write {usage}") from error
        if word == "config" and model is not None and model.is_resource and meaning.materialized:
            message = f"'{model.name}' is rendered for each mapping, and never made in the database"
            raise UserError(message, hint="leave materialized out")
        return meaning

    def ref(self, name: str, /) -> ModelFile:
        if name not in self.files:
            raise UserError(f"there is no model '{name}'", hint=nearest(str(name), self.files))
        found = self.files[name]
        if found.is_resource:
            raise UserError(
                f"'{name}' can't be referred to: it is rendered for each mapping, and never made "
                "in the database",
                hint="refer to the model that it reads from",
            )
        return found

    def source(self, name: str, stream: str, /) -> SourceTable:
        if not self.all_sources_known:
            return SourceTable(name, stream)
        if name not in self.sources:
            raise UserError(f"there is no source '{name}'", hint=nearest(str(name), self.sources))
        tables = self.sources[name]
        if stream not in tables:
            kind = "file" if all(table.is_file for table in tables.values()) else "stream"
            hint = nearest(str(stream), tables)
            raise UserError(f"the source '{name}' has no {kind} '{stream}'", hint=hint)
        return tables[stream]

    def var(self, name: str, /, *default: Any) -> Any:
        if len(default) > 1:
            raise TypeError(name)
        if name in self.variables:
            # A template may change a list that it was given; the next one must not see that.
            return deepcopy(self.variables[name])
        if default:
            return default[0]
        hint = f"set it under vars: in project.yml, or with --vars; {nearest(name, self.variables)}"
        raise UserError(f"the variable '{name}' is not set", hint=hint)

    def env_var(self, name: str, /, *default: Any) -> str:
        if len(default) > 1:
            raise TypeError(name)
        if not default:
            message = f"env_var('{name}') needs a default in a model"
            raise UserError(message, hint=f"write env_var('{name}', '…')")
        value = self.environment.get(name) or str(default[0])
        reason = "is a secret by its name" if SECRET_NAME.search(name) else "holds a secret"
        if SECRET_NAME.search(name) or redact(value) != value:
            hint = "secrets belong to the connections in project.yml alone"
            raise UserError(f"{name} {reason}, and no model may read it", hint=hint)
        return value

    def config(self, /, **settings: Any) -> Config:
        return read_config(settings)

    def is_incremental(self) -> bool:
        """Only a rendering knows better."""
        return False


def words(project: Project, files: Mapping[str, ModelFile]) -> Words:
    """The words of a project."""
    sources: dict[str, dict[str, SourceTable]] = {}
    for document in project.sources:
        for source in document.data["sources"]:
            tables = sources.setdefault(source["name"], {})
            for key, schema in (("streams", RAW), ("files", FILES)):
                for each in source.get(key, ()):
                    table = SourceTable(source["name"], each["name"], schema)
                    tables.setdefault(each["name"], table)
    all_known = "sources" not in project.unread
    return Words(files, sources, all_known, project.variables, project.environment)
