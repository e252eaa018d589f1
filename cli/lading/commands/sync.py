"""`lading sync`: all of it."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import project_options
from lading.commands.scope import scope_options


@click.command("sync", short_help="All of it: fetch, build, map, push.")
@scope_options
@project_options
def command(**options: Any) -> int:
    """Extract, build, map and push: what is new at Anthropic, and what changed of it in Port.

    A report that fails, or that adds up to something else grouped than ungrouped, keeps what
    depends on it from being pushed; the others go on, and the exit code is 1.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_sync
    from lading.commands.scope import read_scope
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.sync import sync

    scope = read_scope(options)
    context = open_project(options, needs=("anthropic", "port"))
    with reporting(context, "sync"), bars() as shown, working(context, "sync") as work:
        synced = sync(work, shown, scope)
    write_results(
        context,
        "sync",
        synced.planned.nodes,
        extraction=synced.extraction,
        blocked=synced.planned.blocked,
    )
    show_sync(synced)
    return int(work.incomplete)
