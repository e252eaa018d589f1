"""`lading docs`: the site that tells what the project is made of, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, project_options

if TYPE_CHECKING:
    from lading.commands.options import Function

FOLDER = "docs"


@click.group("docs", short_help="A site with lineage, docs, runs and the report.")
@click.option(
    "-C", "--project-dir", metavar="DIR", help="The project's folder [default: this one]."
)
def command(project_dir: str | None) -> None:
    """A site that works without a server and without a network: the way of each figure from the
    reports to Port, what each model, source, mapping and blueprint is, runs, and the report of
    spend, tokens and Claude Code.
    """


def _site_options(function: Function) -> Function:
    out = click.option(
        "--out",
        cls=Option,
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="The folder to write it to [target/docs].",
    )
    nameless = click.option(
        "--anonymous",
        cls=Option,
        is_flag=True,
        help="Write person-1, person-2, … for people's e-mail addresses and names.",
    )
    return out(nameless(project_options(function)))


@command.command("generate", short_help="Write the site to a folder.")
@_site_options
def generate(out: Path | None, anonymous: bool, **options: Any) -> None:
    """Write the site to a folder: open its index.html, or keep it as an artifact of a CI job.

    It shows what is there: without a database it has the project alone, and says what to run for
    the rest. Nothing is fetched. No secret is in it.
    """
    from lading.commands.output import say

    say(str(_written(out, options, anonymous=anonymous)))


@command.command("serve", short_help="Write the site, and serve it on this machine.")
@click.option(
    "--port", cls=Option, type=click.IntRange(0, 65535), default=0, help="Which [any free one]."
)
@_site_options
def serve_(port: int, out: Path | None, anonymous: bool, **options: Any) -> int:
    """Write the site, and serve it at 127.0.0.1 until Ctrl-C."""
    from lading.commands.output import remark, say
    from lading.site.server import serve

    index = _written(out, options, anonymous=anonymous)
    try:
        serve(index.parent, port, say)
    except KeyboardInterrupt:
        remark("stopped")
    return 130


def _written(out: Path | None, options: dict[str, Any], *, anonymous: bool) -> Path:
    from lading.commands.project import open_project
    from lading.pipeline.site import site_data
    from lading.site.folder import write_site

    context = open_project(options)
    data = site_data(context, anonymous=anonymous)
    return write_site(out or context.project.target_path / FOLDER, data)
