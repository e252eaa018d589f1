"""Options that say what to fetch beside what is open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.commands.options import Option, read_moment

if TYPE_CHECKING:
    from lading.extract.plan import Scope

Function = TypeVar("Function", bound=Callable[..., Any])


def _span(ctx: click.Context, param: click.Parameter, value: str | timedelta) -> timedelta:
    if isinstance(value, timedelta):
        return value
    from lading.project.spans import read_span

    try:
        if span := read_span(value):
            return span
    except ValueError:
        pass
    raise click.BadParameter("write a span like 35d or 12h", ctx, param)


def span_option(flag: str, default: timedelta, help: str) -> Callable[[Function], Function]:  # noqa: A002 - click's word
    """An option that is a span of time, like 35d."""
    return click.option(
        flag,
        cls=Option,
        metavar="SPAN",
        default=default,
        callback=_span,
        help=help,
        type=click.UNPROCESSED,
    )


_OPTIONS = (
    click.option(
        "--start",
        cls=Option,
        metavar="DATE",
        callback=read_moment,
        help="Fetch from this day on, also before what the mappings ask for.",
    ),
    click.option(
        "--end",
        cls=Option,
        metavar="DATE",
        callback=read_moment,
        help="Fetch up to this day.",
    ),
    click.option(
        "-f",
        "--full-refresh",
        cls=Option,
        is_flag=True,
        help="Fetch closed days again.",
    ),
    span_option(
        "--recheck",
        timedelta(0),
        "Fetch closed days of this span before today again, like 35d.",
    ),
    click.option(
        "--no-control-totals",
        cls=Option,
        is_flag=True,
        help="Don't fetch the ungrouped reports that grouped ones are compared with.",
    ),
)


def scope_options(function: Function) -> Function:
    """From when to when, which closed days again, and whether to compare."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_scope(options: dict[str, Any], streams: tuple[str, ...] = ()) -> Scope:
    """The scope that the options say; takes them out of `options`.

    Raises:
        click.UsageError: the range ends before it starts.
    """
    from lading.extract.plan import Scope

    start, end = options.pop("start"), options.pop("end")
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--end must be after --start")
    return Scope(
        start,
        end,
        frozenset(streams),
        options.pop("full_refresh"),
        options.pop("recheck"),
        not options.pop("no_control_totals"),
    )
