"""Values of a test's entry that refer to something, as `ref('model')` and `{{ var('name') }}`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lading.errors import Problem, UserError
from lading.project.documents import KeyPath
from lading.transform.files import ModelFile
from lading.transform.properties import WrittenTest
from lading.transform.render import Renderer, Wish
from lading.transform.test_settings import TestTemplate
from lading.transform.words import SourceTable

# As in dbt these need no braces where they are all that a value says.
ALONE = re.compile(r"\s*(?:ref|source|var|env_var)\s*\(.*\)\s*", re.DOTALL)


def model_id(name: str) -> str:
    """A model's id among all nodes."""
    return f"model.{name}"


def source_id(table: SourceTable) -> str:
    """A stream's id among all nodes."""
    return f"source.{table.source}.{table.stream}"


@dataclass(slots=True)
class Values:
    """Reads the values of one entry, and notes the ids of what they refer to."""

    renderer: Renderer
    written: WrittenTest
    run_started_at: str
    reads: set[str] = field(default_factory=set)

    def of(self, value: Any, path: KeyPath) -> Any:
        """The value with all that its texts refer to: models and streams as they are.

        Raises:
            UserError: with the place of the text below the entry.
        """
        if isinstance(value, dict):
            return {key: self.of(each, (*path, str(key))) for key, each in value.items()}
        if isinstance(value, list):
            return [self.of(each, (*path, index)) for index, each in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return self._of_text(value)
        except UserError as error:
            raise self._placed(error, path) from error

    def relation(self, value: Any, path: KeyPath) -> Any:
        """The same of an argument that is a relation: a text is a model's name there."""
        found = self.of(value, path)
        if not isinstance(found, str):
            return found
        try:
            return self._noted(self.renderer.ask(None, "ref", (found,), {}))
        except UserError as error:
            raise self._placed(error, path) from error

    def _of_text(self, text: str) -> Any:
        is_template = "{{" in text or "{%" in text
        if not is_template and not ALONE.fullmatch(text):
            return text
        wanted = text if is_template else f"{{{{ {text} }}}}"
        template = TestTemplate(self.written.document.file, self.written.document.file, wanted)
        if said := self.renderer.meaning(template):
            return self._noted(said.meaning)
        if not is_template:
            return text
        rendered = self.renderer.render(Wish(template, self.run_started_at))
        self.reads.update(map(model_id, rendered.refs), map(source_id, rendered.sources))
        return rendered.sql

    def _placed(self, error: UserError, path: KeyPath) -> UserError:
        place = self.written.place(*path)
        found = [Problem(each.message, place, each.hint) for each in error.problems]
        return UserError(problems=found)

    def _noted(self, meaning: Any) -> Any:
        if isinstance(meaning, UserError):
            raise meaning
        if isinstance(meaning, ModelFile):
            self.reads.add(model_id(meaning.name))
        elif isinstance(meaning, SourceTable):
            self.reads.add(source_id(meaning))
        return meaning
