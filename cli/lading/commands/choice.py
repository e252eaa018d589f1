"""Options that choose nodes of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.commands.options import Option

if TYPE_CHECKING:
    from lading.pipeline.choice import Choice

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "-s",
        "--select",
        cls=Option,
        multiple=True,
        metavar="NODES",
        help="Only these: names, +x, x+, tag:, path:, source:, kind:, state:modified, ….",
    ),
    click.option("--exclude", cls=Option, multiple=True, metavar="NODES", help="Without these."),
    click.option(
        "--state",
        cls=Option,
        metavar="DIR",
        help="A folder with the manifest.json that state: compares with.",
    ),
    click.option("--allow-empty", cls=Option, is_flag=True, help="Let a selection match nothing."),
)


def choice_options(function: Function) -> Function:
    """Which nodes, and which not."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_choice(options: dict[str, Any]) -> Choice:
    """What the options say; takes them out of `options`.

    Raises:
        UserError: the folder of --state has no manifest.
    """
    from lading.pipeline.choice import Choice

    folder, state = options.pop("state"), None
    if folder is not None:
        from pathlib import Path

        from lading.transform.selection import read_state

        state = read_state(Path(folder))
    return Choice(options.pop("select"), options.pop("exclude"), state, options.pop("allow_empty"))
