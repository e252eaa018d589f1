"""`lading status`: what the books say."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import Option, project_options


@click.command("status", short_help="Past runs, freshness, what is missing, what Port holds.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="How it is printed [table].",
)
@click.option(
    "-n",
    "--runs",
    cls=Option,
    type=click.IntRange(1),
    default=5,
    metavar="N",
    help="How many of the last runs [5].",
)
@click.option(
    "--refused",
    cls=Option,
    is_flag=True,
    help="Name every refused entity, not only the first of each reason.",
)
@project_options
def command(output: str, runs: int, refused: bool, **options: Any) -> int:
    """Show the last runs, how fresh each stream is and which of its days are final, what is missing
    and why, what was restated, and what Port holds and refuses.

    Reads the database alone, also while a sync waits for the network. `--output markdown` is for
    the summary of a CI job. The exit code is 1 if a stream is further behind than its
    `error_after` in sources/.
    """
    from lading.commands.project import open_project
    from lading.commands.standing import show_status
    from lading.pipeline.books import status

    context = open_project(options)
    said = status(context, runs)
    show_status(context, said, output, every_refused=refused)
    return int(any(each.failed for each in said.freshness))
