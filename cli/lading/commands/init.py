"""`lading init`: a project of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from lading.commands.options import Option, logging_options

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def _name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not NAME.fullmatch(value):
        raise click.BadParameter("a name has letters, digits, - and _, and no digit first")
    return value


@click.command("init", short_help="Lay out a project of your own.")
@click.argument("folder", metavar="[DIR]", default="claude-usage", type=click.Path(file_okay=False))
@click.option(
    "--name",
    cls=Option,
    metavar="NAME",
    callback=_name,
    help="What the project is called [like its folder].",
)
@click.option(
    "--minimal", cls=Option, is_flag=True, help="The least that syncs: no marts, no tests."
)
@click.option(
    "--no-mappings", cls=Option, is_flag=True, help="Leave mappings/ to you, or to `lading import`."
)
@logging_options
def command(
    folder: str, name: str | None, minimal: bool, no_mappings: bool, **options: Any
) -> None:
    """Lay out a project in DIR [claude-usage] that syncs as soon as four variables are set.

    Its files are yours from then on. Nothing that is there is overwritten: if a file of that name
    is there already, nothing is written at all.
    """
    from lading.commands.options import project_folder
    from lading.commands.output import count, program, say
    from lading.starter import lay_out, new_project

    root = project_folder(click.get_current_context()) / folder
    name = name or _name_of(root)
    contents = new_project(name, minimal=minimal, mappings=not no_mappings)
    written = lay_out(root, contents)
    say(f"A project called {name} is in {root}: {count(len(written), 'file')}.")
    say()
    say("Next:")
    inside = "" if root.resolve() == Path.cwd() else f"cd {_quoted(root)} && "
    say(f"  {inside}cp .env.example .env    # then put your keys into .env")
    say(f"  {program()} debug    # is everything there that a sync needs?")
    say(f"  {program()} sync     # fetch, build, map, push")


def _quoted(root: Path) -> str:
    import shlex

    return shlex.quote(str(root))


def _name_of(root: Path) -> str:
    """The folder's name, as far as a project can be called so."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", root.resolve().name).strip("_")
    return plain if NAME.fullmatch(plain) else f"project_{plain}".rstrip("_")
