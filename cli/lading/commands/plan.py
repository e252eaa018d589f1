"""`lading plan`: what a push would do."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import project_options


@click.command("plan", short_help="Show what a push would do.")
@project_options
def command(**options: Any) -> int:
    """Show how many entities a push would create and change; nothing is sent.

    Builds the models and runs the mappings on what has landed. `lading query 'FROM lading.plan'`
    shows the plan entity by entity.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_plan
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.sync import plan_landed

    context = open_project(options, needs=("destination",))
    with reporting(context, "plan"), bars() as shown, working(context, "plan") as work:
        planned = plan_landed(work, shown)
    write_results(context, "plan", planned.nodes, blocked=planned.blocked)
    show_plan(planned)
    return int(work.incomplete)
