"""Options that commands share. One order everywhere: flag, LADING_<FLAG>, `.env`, project.yml."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from lading.log import Format, Level

Function = TypeVar("Function", bound=Callable[..., Any])
LEVELS = ("debug", "info", "warning", "error")
DEFAULT = ParameterSource.DEFAULT
QUIET = "lading.quiet"
# What values may be, by an option's name or by what its help calls them; filled when a shell asks.
completers: dict[str, Callable[[click.Context, str], list[CompletionItem[str]]]] = {}


class Option(click.Option):
    """An option that the environment can set as well, also by `.env` in the project."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        flag = max(self.opts, key=len).lstrip("-")
        self.envvar = f"LADING_{flag}".replace("-", "_").upper()

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The environment's value, else that of `.env`."""
        value = super().resolve_envvar_value(ctx)
        if value is not None or self.name == "project_dir":
            return value
        from lading.project.environment import read_dotenv

        return read_dotenv(project_folder(ctx)).get(str(self.envvar)) or None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """What a shell may complete the value with."""
        complete = completers.get(self.name or "") or completers.get(self.metavar or "")
        return (complete or super().shell_complete)(ctx, incomplete)


def project_folder(ctx: click.Context) -> Path:
    """The folder that -C names, after or before the command, else the environment; else this
    one."""
    contexts = [ctx]
    while (parent := contexts[-1].parent) is not None:
        contexts.append(parent)
    # While options are still being read, click has a mark of its own for those without a value.
    given = [
        (each.get_parameter_source("project_dir"), folder)
        for each in contexts
        if isinstance(folder := each.params.get("project_dir"), str) and folder
    ]
    flags = [folder for source, folder in given if source is ParameterSource.COMMANDLINE]
    return Path(next(iter([*flags, *(folder for _, folder in given)]), "."))


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


def read_moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A callback: the moment that is written, in UTC; one that names no zone is in UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        message = "write a date or a moment in UTC, like 2026-01-31 or 2026-01-31T06:00:00Z"
        raise click.BadParameter(message, ctx, param) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _log_format(ctx: click.Context, param: click.Parameter, value: Format) -> Format:
    from lading import log

    log.configure(format=value, level=log.sink.level)
    return value


def _log_level(ctx: click.Context, param: click.Parameter, value: Level) -> Level:
    from lading import log

    # What is given comes before what is not, so this may be asked for after -q.
    if not (ctx.meta.get(QUIET) and ctx.get_parameter_source("log_level") is DEFAULT):
        log.configure(format=log.sink.format, level=value)
    return value


def _quiet(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    from lading import log

    if value:
        ctx.meta[QUIET] = True
        log.configure(format=log.sink.format, level="warning")
    return value


# Eager: whatever goes wrong after them is told as they say.
_LOGGING = (
    click.option(
        "--log-format",
        cls=Option,
        type=click.Choice(["text", "json", "github"]),
        default="text",
        is_eager=True,
        expose_value=False,
        callback=_log_format,
        help="How log lines on stderr look [text]; github: findings as annotations of a workflow.",
    ),
    click.option(
        "--log-level",
        cls=Option,
        type=click.Choice(LEVELS),
        default="info",
        is_eager=True,
        expose_value=False,
        callback=_log_level,
        help="The least level of log lines [info].",
    ),
    click.option(
        "-q",
        "--quiet",
        cls=Option,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_quiet,
        help="No log lines but warnings and errors.",
    ),
)
_DATABASE = (
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
        "--wait",
        cls=Option,
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="How long to wait for another process that holds the database [10].",
    ),
)
_PROJECT = (
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
        "--now",
        cls=Option,
        hidden=True,
        callback=read_moment,
        help="Take this moment as the present.",
    ),
)


def logging_options(function: Function) -> Function:
    """How much is said, and in which shape."""
    return _with(_LOGGING, function)


def database_options(function: Function) -> Function:
    """Which project and target; how long to wait for the database; how much is said."""
    return _with((*_DATABASE, *_LOGGING), function)


def project_options(function: Function) -> Function:
    """Those of the database, and what else counts when models are made."""
    return _with((*_DATABASE, *_PROJECT, *_LOGGING), function)


def _with(options: tuple[Callable[[Function], Function], ...], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
