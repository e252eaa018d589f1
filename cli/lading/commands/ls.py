"""`lading ls`: the nodes of the graph."""

from __future__ import annotations

from typing import Any

import click

from lading.commands import completing
from lading.commands.choice import choice_options, read_choice
from lading.commands.options import Option, project_options


@click.command("ls", short_help="List the nodes of the graph.")
@click.argument("nodes", metavar="[NODES]...", nargs=-1, shell_complete=completing.nodes)
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["text", "json", "tree"]),
    default="text",
    help="Names, a JSON object a line, or a tree [text].",
)
@choice_options
@project_options
def command(nodes: tuple[str, ...], output: str, **options: Any) -> None:
    """List sources, models, tests and the mappings' resources: all, or those that NODES, --select
    and --exclude name.

    Each line of text is a name that --select takes. The database is not opened.
    """
    from lading.commands import listing
    from lading.commands.output import say
    from lading.commands.project import open_project
    from lading.pipeline.nodes import nodes_of

    choice = read_choice(options)
    known = nodes_of(open_project(options))
    ids = choice.ids(known, nodes)
    printers = {"text": listing.text, "json": listing.json_lines, "tree": listing.tree}
    say("\n".join(printers[output](known, ids)))
