"""`lading status`: what the books say."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import Option, project_options

RUNS = 5


@click.command("status", short_help="Past runs, freshness, what is missing, what Port holds.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["table", "json"]),
    default="table",
    help="How it is printed [table].",
)
@project_options
def command(output: str, **options: Any) -> int:
    """Show the last runs, how fresh each stream is, what is missing and why, and what Port holds.

    Reads the database alone, also while a sync waits for the network. The exit code is 1 if a
    stream is further behind than its `error_after` in sources/.
    """
    from lading.commands.project import open_project
    from lading.commands.standing import show_status
    from lading.pipeline.books import status

    said = status(open_project(options), RUNS)
    show_status(said, output)
    return int(any(each.failed for each in said.freshness))
