"""The environment: the process's own, then `.env` beside project.yml."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.errors import LadingError, Place, UserError


class MissingVariableError(LadingError):
    """A variable that is asked for is not set and has no default."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"the environment variable {variable} is not set")
        self.variable = variable


# What nearly all connections say; for it alone nobody has to wait for Jinja.
PLAIN = re.compile(
    r"""\{\{ \s* env_var\( \s* '(?P<name>[A-Za-z_][A-Za-z0-9_]*)' \s*
        (?: , \s* '(?P<default>[^'\\]*)' \s* )? \) \s* \}\}""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables by name, and texts with `{{ env_var('NAME') }}` in them worked out."""

    variables: Mapping[str, str]

    def render(self, text: str) -> str:
        """The text with its `env_var` calls replaced.

        Raises:
            MissingVariableError: a variable is not set (or empty) and has no default.
            UserError: the text can't be worked out. It is not in the message: there may be a
                secret in it.
        """
        if "{{" not in text:
            return text
        if found := PLAIN.fullmatch(text):
            return self.env_var(found["name"], found["default"])
        from jinja2 import StrictUndefined, TemplateError
        from jinja2.sandbox import SandboxedEnvironment

        jinja = SandboxedEnvironment(undefined=StrictUndefined)
        try:
            return jinja.from_string(text).render(env_var=self.env_var)
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            kind = type(error).__name__
            hint = "write it like \"{{ env_var('NAME') }}\" or \"{{ env_var('NAME', 'default') }}\""
            raise UserError(f"this can't be worked out ({kind})", hint=hint) from error

    def env_var(self, name: str, default: Any = None) -> str:
        """The variable's value, else the default."""
        value = self.variables.get(name, "")
        if value:
            return value
        if default is None:
            raise MissingVariableError(name)
        return str(default)


def read_environment(root: Path, given: Mapping[str, str] | None = None) -> Environment:
    """The variables that count in the project at `root`: a set one wins over `.env`."""
    return Environment({**read_dotenv(root), **(os.environ if given is None else given)})


def read_dotenv(root: Path) -> dict[str, str]:
    """What `.env` beside project.yml sets; nothing when there is none.

    Raises:
        UserError: it is there and can't be read.
    """
    path = root / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        read = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't be read: {error}", place=Place(".env")) from error
    return {name: value for name, value in read.items() if value is not None}
