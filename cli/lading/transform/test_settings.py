"""How a data test is carried out: what `config` says, in YAML and in SQL files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lading.errors import Place, UserError, nearest

Severity = Literal["error", "warn"]
SEVERITIES: tuple[Severity, ...] = ("error", "warn")
COMPARISON = re.compile(r"\s*(>=|<=|<>|!=|==|=|>|<)\s*([0-9]+)\s*")
USAGE = "config(severity='warn')"


@dataclass(frozen=True, slots=True)
class TestTemplate:
    """What is rendered for a test: the file of a singular one, or the call of a generic one, which
    stands for an entry of `file`."""

    name: str
    file: str
    text: str

    @property
    def is_resource(self) -> bool:
        return False

    def at_home(self, place: Place) -> Place:
        """A place in the text as the place in the file: the same."""
        return place


@dataclass(frozen=True, slots=True)
class TestSettings:
    """The settings of a test; None where nothing is said."""

    severity: Severity | None = None
    warn_if: str | None = None
    error_if: str | None = None
    where: str | None = None
    limit: int | None = None
    store_failures: bool | None = None
    tags: tuple[str, ...] = ()

    def over(self, below: TestSettings) -> TestSettings:
        """These settings, and what only `below` says; the tags of both."""

        def first(key: str) -> Any:
            value = getattr(self, key)
            return getattr(below, key) if value is None else value

        said = {key: first(key) for key in READERS if key != "tags"}
        return TestSettings(**said, tags=tuple(dict.fromkeys((*below.tags, *self.tags))))


def settings_in_template(**written: Any) -> TestSettings:
    """What `config(…)` says in the SQL of a test.

    Raises:
        UserError: a setting that is not there, or a value that it can't have.
    """
    if "where" in written:
        hint = "write it into the SQL, or into the config of a test in a .yml file"
        raise UserError("config has no key 'where' in the SQL of a test", hint=hint)
    return TestSettings(**{key: read_setting(key, value) for key, value in written.items()})


def read_setting(key: str, value: Any) -> Any:
    """The value of one setting.

    Raises:
        UserError: there is no such setting, or it can't have this value.
    """
    if key not in READERS:
        raise UserError(f"config has no key '{key}' in a test", hint=nearest(key, READERS))
    return READERS[key](key, value)


def _severity(key: str, value: Any) -> Severity:
    for severity in SEVERITIES:
        if str(value).casefold() == severity:
            return severity
    raise UserError(f"{key} can't be '{value}'", hint=f"it is one of: {', '.join(SEVERITIES)}")


def _comparison(key: str, value: Any) -> str:
    found = COMPARISON.fullmatch(str(value))
    if found is None:
        hint = 'it is compared with the number of failing rows: write it like "> 10"'
        raise UserError(f"{key} can't be '{value}'", hint=hint)
    return f"{found[1]} {int(found[2])}"


def _condition(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{key} must be a condition in SQL")
    return value.strip()


def _limit(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{key} must be a whole number above 0")
    return value


def _switch(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{key} must be true or false")
    return value


def _tags(key: str, value: Any) -> tuple[str, ...]:
    tags = (value,) if isinstance(value, str) else value
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise UserError(f"{key} are a list of names")
    return tuple(tags)


READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "severity": _severity,
    "warn_if": _comparison,
    "error_if": _comparison,
    "where": _condition,
    "limit": _limit,
    "store_failures": _switch,
    "tags": _tags,
}
