"""`lading extract`: land the reports."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import Option, project_options
from lading.commands.scope import scope_options


@click.command("extract", short_help="Fetch the reports into the raw tables.")
@click.option("-n", "--dry-run", cls=Option, is_flag=True, help="Print the plan, and do nothing.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["table", "json"]),
    default="table",
    help="How the plan of a dry run is printed [table].",
)
@click.option(
    "-s", "--select", cls=Option, multiple=True, metavar="STREAM", help="Only this stream."
)
@scope_options
@project_options
def command(dry_run: bool, output: str, select: tuple[str, ...], **options: Any) -> int:
    """Fetch what is new of the reports into the raw tables.

    What to fetch follows from the selectors in mappings/ and from `extracts:` in sources/. Closed
    days are not asked for again, unless you say so; the lookback and the current day are. A grouped
    report has to add up to the ungrouped one.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_extraction, show_extraction_plan
    from lading.commands.scope import read_scope
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.context import working
    from lading.pipeline.steps import extract, plan_extraction

    scope = read_scope(options, select)
    if dry_run:
        show_extraction_plan(plan_extraction(open_project(options), scope), output)
        return 0
    context = open_project(options, needs=("anthropic",))
    plan_extraction(context, scope)
    with reporting(context, "extract"), bars() as shown, working(context, "extract") as work:
        extraction = extract(work, shown, scope)
    write_results(context, "extract", extraction=extraction)
    show_extraction(extraction)
    return int(work.incomplete)
