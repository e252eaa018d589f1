"""One entry of `data_tests:`: the test's name, its arguments, and its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lading.errors import Place, Problem, UserError
from lading.project.documents import KeyPath
from lading.transform.properties import WrittenTest
from lading.transform.test_settings import READERS, TestSettings, read_setting

SHAPE = "an entry is a test's name, or {name: {its arguments}}"
NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and where it stands below the entry."""

    value: Any
    path: KeyPath


@dataclass(frozen=True, slots=True)
class TestEntry:
    """An entry as it is meant; `name` is '' where none is given."""

    test: str
    arguments: Mapping[str, Given]
    settings: TestSettings
    where: Given | None
    name: str
    name_place: Place
    description: str
    place: Place


def read_entry(written: WrittenTest) -> TestEntry:
    """Read an entry, in any of dbt's forms: arguments flat or below `arguments:`, settings flat
    or below `config:`.

    Raises:
        UserError: with all that is wrong with its shape and its settings.
    """
    test, body = _test_and_body(written)
    reader = _Reader(written, test)
    arguments, settings = reader.parts(body)
    entry = TestEntry(
        test=test,
        arguments=arguments,
        settings=reader.settings(settings),
        where=settings.get("where"),
        name=reader.text(body, "name"),
        name_place=written.place(test, "name"),
        description=reader.text(body, "description"),
        place=written.key_place(test) if isinstance(written.written, dict) else written.place(),
    )
    if entry.name and not NAME.fullmatch(entry.name):
        hint = "use letters, digits, _ and -"
        message = f"a test can't be called '{entry.name}'"
        reader.problems.append(Problem(message, entry.name_place, hint))
    if reader.problems:
        raise UserError(problems=reader.problems)
    return entry


def _test_and_body(written: WrittenTest) -> tuple[str, Mapping[str, Any]]:
    if isinstance(written.written, str):
        return written.written, {}
    keys = [str(key) for key in written.written]
    if "test_name" in keys or len(keys) != 1:
        hint = f"indent what belongs to '{keys[0]}' below it"
        told = None if "test_name" in keys else hint
        raise UserError(SHAPE, place=written.place(), hint=told)
    (body,) = written.written.values()
    if body is not None and not isinstance(body, dict):
        message = f"what is said of the test '{keys[0]}' must be a mapping (key: value)"
        raise UserError(message, place=written.place(keys[0]))
    return keys[0], {str(key): value for key, value in (body or {}).items()}


class _Reader:
    """Takes an entry apart, and notes what is wrong with it."""

    def __init__(self, written: WrittenTest, test: str) -> None:
        self.problems: list[Problem] = []
        self._written = written
        self._test = test

    def parts(self, body: Mapping[str, Any]) -> tuple[dict[str, Given], dict[str, Given]]:
        """The arguments and the settings, each by its name."""
        arguments = dict(self._below(body, "arguments"))
        settings = dict(self._below(body, "config"))
        for key, value in body.items():
            if key in {"arguments", "config", "name", "description"}:
                continue
            among = settings if key in READERS else arguments
            if key in among:
                self._complain(f"'{key}' is said twice", (self._test, key))
            among[key] = Given(value, (self._test, key))
        return arguments, settings

    def settings(self, written: Mapping[str, Given]) -> TestSettings:
        read = {}
        for key, given in written.items():
            try:
                read[key] = read_setting(key, given.value)
            except UserError as error:
                self._complain(error.message, given.path, error.hint, of_key=key not in READERS)
        return TestSettings(**read)

    def text(self, body: Mapping[str, Any], key: str) -> str:
        value = body.get(key, "")
        if not isinstance(value, str):
            self._complain(f"'{key}' must be text", (self._test, key), of_key=False)
            return ""
        return value.strip()

    def _below(self, body: Mapping[str, Any], key: str) -> Iterator[tuple[str, Given]]:
        part = body.get(key)
        if part is not None and not isinstance(part, dict):
            message = f"'{key}' must be a mapping (key: value)"
            self._complain(message, (self._test, key), of_key=False)
            return
        for name, value in (part or {}).items():
            yield str(name), Given(value, (self._test, key, str(name)))

    def _complain(
        self, message: str, path: KeyPath, hint: str | None = None, *, of_key: bool = True
    ) -> None:
        place = self._written.key_place if of_key else self._written.place
        self.problems.append(Problem(message, place(*path), hint))
