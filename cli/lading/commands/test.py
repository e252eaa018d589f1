"""`lading test`: what must hold."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.choice import choice_options, read_choice
from lading.commands.options import Option, project_options


@click.command("test", short_help="Run the tests, and check what has landed.")
@click.option("--junit", cls=Option, metavar="FILE", help="Write the results as JUnit XML.")
@choice_options
@project_options
def command(junit: str | None, **options: Any) -> int:
    """Run the unit tests and data tests of the models and the tests of the mappings, and check what
    has landed: how fresh each stream and file is, and that a stream's groupings add up to the same.

    A line for each: PASS, WARN, FAIL, ERROR (it could not be run) or SKIP. Fetches and makes
    nothing, and needs no key. The exit code is 1 if one of severity error failed.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_checks
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.checks import run_checks

    choice = read_choice(options)
    context = open_project(options)
    with reporting(context, "test"), bars() as shown:
        results = run_checks(context, shown, choice)
    write_results(context, "test", (), junit, checks=results)
    show_checks(results)
    return int(any(each.failed for each in results))
