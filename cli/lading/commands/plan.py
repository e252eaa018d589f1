"""`lading plan`: what a push would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lading.commands.options import Option, project_options
from lading.commands.wishes import read_wish, wish_options

SHOWN = 10


@click.command("plan", short_help="Show what a push would do.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="How it is printed [text]; markdown is for a pull request.",
)
@click.option(
    "--limit",
    cls=Option,
    type=click.IntRange(0),
    default=SHOWN,
    metavar="N",
    help=f"How many entities of each blueprint and action are shown [{SHOWN}]; 0: all.",
)
@click.option(
    "--out", cls=Option, metavar="FILE", help="Save the plan, for `lading push FILE` to carry out."
)
@click.option(
    "--exit-code", cls=Option, is_flag=True, help="Exit with 1 if there is anything to do."
)
@click.option(
    "--of",
    cls=Option,
    metavar="ID",
    help="Compare with the entities of another integration in Port, of any type, as if they were "
    "this one's.",
)
@wish_options
@project_options
def command(
    output: str, limit: int, out: str | None, exit_code: bool, of: str | None, **options: Any
) -> int:
    """Show what a push would create, change and delete, key by key; nothing is sent.

    Builds the models and runs the mappings on what has landed, and compares with what was pushed,
    or with Port itself. `lading query 'FROM lading.plan'` shows the plan in SQL.
    """
    from lading.commands.planned import as_document, show_plan
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.pipeline.artifacts import reporting, write, write_results
    from lading.pipeline.context import working
    from lading.pipeline.sync import plan_landed

    if of is not None:
        if out is not None:
            raise click.UsageError(
                "a plan that is compared with another integration can't be saved"
            )
        options["against"] = "port"
    wish = read_wish(options)
    context = open_project(options, needs=("destination",) if of is None else ("port",))
    if of is not None:
        from lading.pipeline.comparing import in_place_of

        context = in_place_of(context, of)
    with reporting(context, "plan"), bars() as shown, working(context, "plan") as work:
        planned = plan_landed(work, shown, wish)
        work.says_no = exit_code and planned.plan.to_do > 0
    write_results(context, "plan", planned.nodes, blocked=planned.blocked)
    if out:
        write(Path(out), as_document(context, planned))
    show_plan(context, planned, output, limit or None)
    return int(work.incomplete or work.says_no)
