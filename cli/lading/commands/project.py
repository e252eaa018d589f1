"""From options to a checked project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lading.pipeline.context import Context
    from lading.project.model import ConnectionType


def open_project(options: dict[str, Any], needs: Sequence[ConnectionType] = ()) -> Context:
    """The project that the options name, with all of its files checked, and the connections
    of the types that are needed.

    Raises:
        UserError: every finding about the files at once.
    """
    from datetime import UTC, datetime

    from lading import log
    from lading.commands.options import project_folder
    from lading.commands.output import show_problems
    from lading.pipeline.context import open_context

    log.configure(format=options["log_format"], level=options["log_level"])
    context = open_context(
        project_folder(click.get_current_context()),
        target=options["target"],
        variables={**options["vars_"], **options["var"]},
        now=options["now"] or datetime.now(UTC),
        wait=options["wait"],
        needs=needs,
    )
    show_problems(context.warnings)
    return context
