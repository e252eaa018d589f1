"""`lading show`: the first rows of a model or of a query."""

from __future__ import annotations

import sys
from typing import Any

import click

from lading.commands import completing
from lading.commands.options import Option, project_options
from lading.commands.rows import output_option, print_rows


@click.command("show", short_help="Show the first rows of a model or a query.")
@click.argument("node", required=False, shell_complete=completing.nodes)
@click.option("--inline", cls=Option, metavar="SQL", help="A query, with ref() and source().")
@click.option("--limit", cls=Option, type=click.IntRange(0), default=10, help="How many rows [10].")
@output_option
@project_options
def command(node: str | None, inline: str | None, limit: int, output: str, **options: Any) -> None:
    """Show the first rows that the SQL of a model, of a mapping's resource or of a test gives
    now, whether it was made or not, or those of a query.

    The database is opened read-only; what the model reads must be there.
    """
    from lading.commands.project import open_project
    from lading.pipeline.showing import showing

    if (node is None) == (inline is None):
        raise click.UsageError("name one model, or give a query with --inline")
    context = open_project(options)
    with showing(context, node=node, inline=inline, limit=limit) as cursor:
        print_rows(cursor, output, sys.stdout)
