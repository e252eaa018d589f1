"""Options that say what a plan is compared with and what of it is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.commands.options import Option
from lading.commands.scope import span_option

if TYPE_CHECKING:
    from lading.pipeline.push_plans import Wish

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--against",
        cls=Option,
        type=click.Choice(["pushed", "port"]),
        default="pushed",
        help="Compare with what was pushed, or with what Port has now, which is read [pushed].",
    ),
    click.option(
        "--prune",
        cls=Option,
        is_flag=True,
        help="Delete also what no mapping gives any more.",
    ),
    click.option(
        "--retry",
        cls=Option,
        is_flag=True,
        help="Try again what Port refused, though nothing of it has changed.",
    ),
    click.option(
        "--apply-blueprints",
        cls=Option,
        is_flag=True,
        help="Add to Port's blueprints what those of the project have more.",
    ),
)
_OF_SAVED = (
    click.option(
        "--allow-drift",
        cls=Option,
        type=click.FloatRange(0, 100),
        default=0.0,
        metavar="PERCENT",
        help="How much of a saved plan may have changed since [0]. What is new is not done.",
    ),
    span_option("--max-age", timedelta(days=1), "How old a saved plan may be [1d]."),
)


def wish_options(function: Function) -> Function:
    """What to compare with, and what to do beside what is new and changed."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def saved_options(function: Function) -> Function:
    """How far a saved plan may be from what there is to do."""
    for option in reversed(_OF_SAVED):
        function = option(function)
    return function


def read_wish(options: dict[str, Any], file: str | None = None) -> Wish:
    """What the options say; takes them out of `options`. `file` has a saved plan.

    Raises:
        UserError: the file can't be read.
    """
    from lading.pipeline.plan_files import read_saved
    from lading.pipeline.push_plans import Tolerance, Wish

    drift, age = options.pop("allow_drift", 0.0), options.pop("max_age", timedelta(days=1))
    return Wish(
        against=options.pop("against"),
        prune=options.pop("prune"),
        retry=options.pop("retry"),
        apply_blueprints=options.pop("apply_blueprints"),
        saved=read_saved(Path(file)) if file else None,
        tolerance=Tolerance(drift, age),
    )
