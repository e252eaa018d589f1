"""`lading build`: make the models."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import project_options


@click.command("build", short_help="Make the models from what has landed.")
@project_options
def command(**options: Any) -> int:
    """Make all models from what has landed, each after those that it reads.

    A model that fails leaves its last good table in place, and what depends on it is left out.
    The SQL as DuckDB gets it is left in target/compiled/. No key is needed.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_build
    from lading.pipeline.context import working
    from lading.pipeline.steps import build

    context = open_project(options)
    with bars() as shown, working(context, "build") as work:
        nodes = build(work, shown)
    show_build(nodes)
    return int(work.incomplete)
