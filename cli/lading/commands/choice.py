"""Options that choose nodes of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.commands.options import Option

if TYPE_CHECKING:
    from lading.pipeline.building import Wish
    from lading.pipeline.context import Context
    from lading.transform.selection import State

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


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say."""

    select: tuple[str, ...]
    exclude: tuple[str, ...]
    state: State | None
    allow_empty: bool

    def wish(self, context: Context, targets: Sequence[str], **ways: Any) -> Wish:
        """What to build: what the targets need, as far as it is chosen.

        Raises:
            UserError: something that means nothing, or no node.
        """
        from dataclasses import replace

        from lading.pipeline.building import read_wish

        wish = read_wish(
            context,
            targets,
            self.select,
            self.exclude,
            self.state,
            allow_empty=self.allow_empty,
        )
        return replace(wish, **ways)


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
    from pathlib import Path

    from lading.transform.selection import read_state

    state = options.pop("state")
    return Choice(
        options.pop("select"),
        options.pop("exclude"),
        read_state(Path(state)) if state is not None else None,
        options.pop("allow_empty"),
    )
