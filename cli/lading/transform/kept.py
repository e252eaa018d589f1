"""Models that were compiled in an earlier run, of files that are as they were."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lading.project.cache import entry_key
from lading.transform.model import Model

if TYPE_CHECKING:
    from lading.errors import Problem
    from lading.project.cache import Cache
    from lading.project.model import Project
    from lading.transform.files import ModelFile

MOMENT, DAY = re.compile(r"\brun_started_at\b"), re.compile(r"\btoday\b")
VARIABLE = re.compile(r"\benv_var\s*\(\s*['\"]([^'\"]+)['\"]")


class KeptModels:
    """The models of one project that a cache has; none without a cache."""

    def __init__(
        self,
        cache: Cache | None,
        project: Project,
        files: Mapping[str, ModelFile],
        run_started_at: str,
    ) -> None:
        self._cache = cache
        self._environment = project.environment
        self._files = files
        self._run_started_at = run_started_at
        self._macros = "".join(file.text for file in project.macros)
        self._world = entry_key(
            project.name,
            project.target.database.stem,
            sorted(project.variables.items(), key=repr),
            [(file.name, file.file, file.text) for file in project.macros],
            [document.data for document in (*project.sources, *project.properties)],
            [(file.name, file.file) for file in files.values()],
            sorted(project.unread),
        )

    @property
    def macros_are_fine(self) -> bool:
        """Whether nothing was wrong with the macros as they are."""
        return self._cache is not None and bool(self._cache.get("macros", self._world, bool))

    def note_macros(self, problems: Sequence[Problem]) -> None:
        """Keep that nothing is wrong with them, if so."""
        if self._cache is not None and not problems:
            self._cache.put("macros", self._world, not problems)

    def get(self, name: str) -> Model | None:
        """The model, if it would come out the same now."""
        if self._cache is None:
            return None
        model = self._cache.get("model", self._key(name), Model)
        if model is None:
            return None
        read = {variable: self._environment.get(variable, "") for variable, _ in model.environment}
        return model if read == dict(model.environment) else None

    def put(self, model: Model) -> None:
        """Keep a model that nothing is wrong with."""
        if self._cache is not None:
            self._cache.put("model", self._key(model.name), model)

    def _key(self, name: str) -> str:
        file = self._files[name]
        return entry_key(self._world, file.file, file.text, self._time(file))

    def _time(self, file: ModelFile) -> str:
        """A resource model is compiled for a moment that is always the same."""
        return "" if file.is_resource else time_in(file.text + self._macros, self._run_started_at)


def environment_in(text: str, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The variables that a template names, with what they are."""
    return [(name, environment.get(name, "")) for name in sorted(set(VARIABLE.findall(text)))]


def time_in(text: str, run_started_at: str) -> str:
    """As much of the time as a template asks for."""
    if MOMENT.search(text):
        return run_started_at
    return run_started_at[:10] if DAY.search(text) else ""
