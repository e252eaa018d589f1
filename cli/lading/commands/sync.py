"""`lading sync`: all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, project_options
from lading.commands.scope import scope_options
from lading.commands.wishes import read_wish, wish_options

if TYPE_CHECKING:
    from lading.extract.plan import Scope
    from lading.pipeline.context import Context
    from lading.pipeline.push_plans import Wish


@click.command("sync", short_help="All of it: fetch, build, map, push.")
@click.option(
    "-n", "--dry-run", cls=Option, is_flag=True, help="Go up to the plan, and send Port nothing."
)
@click.option(
    "--listen",
    cls=Option,
    is_flag=True,
    help="Go on: sync again whenever a resync is asked for in Port, until a signal.",
)
@click.option(
    "--poll-interval",
    cls=Option,
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    metavar="SECONDS",
    help="With --listen: how long to wait between two looks [60].",
)
@scope_options
@wish_options
@project_options
def command(dry_run: bool, listen: bool, poll_interval: float, **options: Any) -> int:
    """Extract, build, map and push: what is new at Anthropic, and what changed of it in Port.

    A report that fails, or that adds up to something else grouped than ungrouped, keeps what
    depends on it from being pushed; the others go on, and the exit code is 1.
    """
    from lading.commands.project import open_project
    from lading.commands.scope import read_scope

    if dry_run and listen:
        raise click.UsageError("--dry-run and --listen do not go together")
    scope, wish = read_scope(options), read_wish(options)

    def opened() -> Context:
        return open_project(options, needs=("anthropic", "port"))

    if dry_run:
        return _dry_run(opened(), scope, wish)
    if not listen:
        return _sync(opened(), scope, wish)
    from lading.commands import show_failure
    from lading.pipeline.listening import Listening

    Listening(
        opened, lambda context: _sync(context, scope, wish), show_failure, poll_interval
    ).run()
    return 0


def _sync(context: Context, scope: Scope, wish: Wish) -> int:
    from lading.commands.progress import bars
    from lading.commands.report import show_sync
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.sync import sync

    with reporting(context, "sync"), bars() as shown, working(context, "sync") as work:
        synced = sync(work, shown, scope, wish)
    write_results(
        context,
        "sync",
        synced.planned.nodes,
        extraction=synced.extraction,
        blocked=synced.planned.blocked,
    )
    show_sync(synced)
    return int(work.incomplete)


def _dry_run(context: Context, scope: Scope, wish: Wish) -> int:
    from lading.commands.progress import bars
    from lading.commands.report import show_planned_sync
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.sync import plan_sync

    with reporting(context, "sync"), bars() as shown, working(context, "sync") as work:
        extraction, planned = plan_sync(work, shown, scope, wish)
    write_results(context, "sync", planned.nodes, extraction=extraction, blocked=planned.blocked)
    show_planned_sync(context, extraction, planned)
    return int(work.incomplete)
