"""Options that commands share. One order everywhere: flag, LADING_<FLAG>, `.env`, project.yml."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
LEVELS = ("debug", "info", "warning", "error")


class Option(click.Option):
    """An option that the environment can set as well, also by `.env` in the project."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.envvar = f"LADING_{self.name}".upper().rstrip("_")

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The environment's value, else that of `.env`."""
        value = super().resolve_envvar_value(ctx)
        if value is not None or self.name == "project_dir":
            return value
        from lading.project.environment import read_dotenv

        return read_dotenv(project_folder(ctx)).get(str(self.envvar)) or None


def project_folder(ctx: click.Context) -> Path:
    """The folder that -C names, before or after the command; else this one."""
    named = ctx.params.get("project_dir") or ctx.find_root().params.get("project_dir")
    return Path(named or ".")


def _variables(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, Any]:
    if not value:
        return {}
    import yaml

    try:
        given = yaml.safe_load(value)
    except yaml.YAMLError as error:
        message = "is no YAML mapping; write --vars '{start_date: 2026-01-01}'"
        raise click.BadParameter(message, ctx, param) from error
    if not isinstance(given, dict):
        message = "must be a mapping; write --vars '{name: value}', or --var name=value"
        raise click.BadParameter(message, ctx, param)
    return given


def _pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for pair in value:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            message = f"'{pair}' is no NAME=VALUE"
            raise click.BadParameter(message, ctx, param)
        pairs[name] = text
    return pairs


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        message = "write a moment like 2026-11-22T10:00:00Z"
        raise click.BadParameter(message, ctx, param) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_LOGGING = (
    click.option(
        "--log-format",
        cls=Option,
        type=click.Choice(["text", "json"]),
        default="text",
        help="How log lines on stderr look [text].",
    ),
    click.option(
        "--log-level",
        cls=Option,
        type=click.Choice(LEVELS),
        default="info",
        help="The least level of log lines [info].",
    ),
)
_PROJECT = (
    click.option(
        "-C",
        "--project-dir",
        cls=Option,
        metavar="DIR",
        is_eager=True,
        help="The project's folder [this one].",
    ),
    click.option("-t", "--target", cls=Option, help="A target of project.yml: the database."),
    click.option(
        "--vars",
        "vars_",
        cls=Option,
        metavar="YAML",
        callback=_variables,
        help="Variables for the models: '{name: value}'.",
    ),
    click.option(
        "--var",
        "var",
        cls=Option,
        multiple=True,
        metavar="NAME=VALUE",
        callback=_pairs,
        help="One variable for the models; may be repeated.",
    ),
    click.option(
        "--wait",
        cls=Option,
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="How long to wait for another process that holds the database [10].",
    ),
    click.option(
        "--now",
        cls=Option,
        hidden=True,
        callback=_moment,
        help="Take this moment as the present.",
    ),
    *_LOGGING,
)


def logging_options(function: Function) -> Function:
    """How much is said, and in which shape."""
    return _with(_LOGGING, function)


def project_options(function: Function) -> Function:
    """Which project, target and variables; how long to wait; how much is said."""
    return _with(_PROJECT, function)


def _with(options: tuple[Callable[[Function], Function], ...], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
