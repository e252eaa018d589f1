"""`lading sync`: all of it."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import Option, project_options
from lading.commands.scope import scope_options
from lading.commands.wishes import read_wish, wish_options


@click.command("sync", short_help="All of it: fetch, build, map, push.")
@click.option(
    "-n", "--dry-run", cls=Option, is_flag=True, help="Go up to the plan, and send Port nothing."
)
@scope_options
@wish_options
@project_options
def command(dry_run: bool, **options: Any) -> int:
    """Extract, build, map and push: what is new at Anthropic, and what changed of it in Port.

    A report that fails, or that adds up to something else grouped than ungrouped, keeps what
    depends on it from being pushed; the others go on, and the exit code is 1.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_planned_sync, show_sync
    from lading.commands.scope import read_scope
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.sync import plan_sync, sync

    scope, wish = read_scope(options), read_wish(options)
    context = open_project(options, needs=("anthropic", "port"))
    with reporting(context, "sync"), bars() as shown, working(context, "sync") as work:
        if dry_run:
            extraction, planned = plan_sync(work, shown, scope, wish)
        else:
            synced = sync(work, shown, scope, wish)
            extraction, planned = synced.extraction, synced.planned
    write_results(context, "sync", planned.nodes, extraction=extraction, blocked=planned.blocked)
    if dry_run:
        show_planned_sync(context, extraction, planned)
    else:
        show_sync(synced)
    return int(work.incomplete)
