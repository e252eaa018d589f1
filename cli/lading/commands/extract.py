"""`lading extract`: land the reports."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import project_options


@click.command("extract", short_help="Fetch the reports into the raw tables.")
@project_options
def command(**options: Any) -> int:
    """Fetch what is new of the reports into the raw tables.

    What to fetch follows from the selectors in mappings/. Closed days are not asked for again;
    the lookback and the current day are.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_extraction
    from lading.pipeline.context import working
    from lading.pipeline.steps import extract

    context = open_project(options, needs=("anthropic",))
    with bars() as shown, working(context, "extract") as work:
        extraction = extract(work, shown)
    show_extraction(extraction)
    return int(work.incomplete)
