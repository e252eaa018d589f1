"""`lading test`: what must hold of what has landed."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import project_options


@click.command("test", short_help="Check what has landed.")
@project_options
def command(**options: Any) -> int:
    """Check what has landed: how fresh each stream is, and that its groupings add up to the same.

    A line for each check: PASS, WARN, FAIL, ERROR (it could not be run) or SKIP. Fetches nothing,
    needs no key, and reads the database alone. The exit code is 1 if a check failed.
    """
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.commands.report import show_checks
    from lading.pipeline.checks import run_checks

    context = open_project(options)
    with bars() as shown:
        results = run_checks(context, shown)
    show_checks(results)
    return int(any(each.failed for each in results))
