"""`lading push`: send Port what changed."""

from __future__ import annotations

from typing import Any

import click

from lading.commands import completing
from lading.commands.options import project_options
from lading.commands.wishes import read_wish, saved_options, wish_options


@click.command("push", short_help="Send Port what changed.")
@click.argument("file", metavar="[FILE]", required=False, shell_complete=completing.a_file)
@saved_options
@wish_options
@project_options
def command(file: str | None, **options: Any) -> int:
    """Send Port the entities that it lacks or that changed, and delete those that are gone.

    Builds the models and runs the mappings on what has landed; fetches nothing. What depends on
    a report whose last extraction failed, or whose control totals differed in it, is not sent.

    FILE is a plan that `lading plan --out FILE` has saved: just what it says is done, if that is
    still what there is to do.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_pushed
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.delivery import push
    from lading.pipeline.port_view import telling_port
    from lading.pipeline.sync import plan_landed

    wish = read_wish(options, file)
    context = open_project(options, needs=("port",))
    with (
        reporting(context, "push"),
        bars() as shown,
        working(context, "push") as work,
        telling_port(work) as view,
    ):
        planned = plan_landed(work, shown, wish)
        view.planned(planned.mapped, planned.blocked)
        result = push(work, planned.plan, shown)
        view.pushed(result.deleted)
    write_results(context, "push", planned.nodes, blocked=planned.blocked)
    show_pushed(planned, result)
    return int(work.incomplete)
