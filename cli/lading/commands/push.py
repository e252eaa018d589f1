"""`lading push`: send Port what changed."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import project_options


@click.command("push", short_help="Send Port what changed.")
@project_options
def command(**options: Any) -> int:
    """Send Port the entities that it lacks or that changed since they were last pushed.

    Builds the models and runs the mappings on what has landed; fetches nothing. What depends on
    a report whose last extraction failed, or whose control totals differed in it, is not sent.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_pushed
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.delivery import push
    from lading.pipeline.port_view import telling_port
    from lading.pipeline.steps import streams_that_differed_last, streams_that_failed_last
    from lading.pipeline.sync import plan_push

    context = open_project(options, needs=("port",))
    with reporting(context, "push"), bars() as shown, working(context, "push") as work:
        failed, differing = streams_that_failed_last(context), streams_that_differed_last(context)
        with telling_port(work) as view:
            planned = plan_push(work, shown, failed, differing)
            view.planned(planned.mapped, planned.blocked)
            result = push(work, planned.plan, shown)
            view.pushed()
    write_results(context, "push", planned.nodes, blocked=planned.blocked)
    show_pushed(planned, result)
    return int(work.incomplete)
