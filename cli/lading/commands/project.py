"""From options to a checked project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lading.pipeline.context import Context
    from lading.pipeline.needs import Need
    from lading.project.model import Project
    from lading.warehouse.database import Database


def open_project(
    options: dict[str, Any],
    needs: Sequence[Need] = (),
    *,
    writes: bool = True,
    checks_mappings: bool = True,
) -> Context:
    """The project that the options name, with all of its files checked, and the connections
    of the types that are needed. Unless it `writes`, nothing is kept in the project's folder;
    unless it `checks_mappings`, these are left to the caller.

    Raises:
        UserError: every finding about the files at once.
    """
    from datetime import UTC, datetime

    from lading.commands.options import project_folder
    from lading.commands.output import look_in, show_problems
    from lading.pipeline.context import open_context

    root = project_folder(click.get_current_context())
    look_in(root)
    context = open_context(
        root,
        target=options["target"],
        variables={**options["vars_"], **options["var"]},
        now=options["now"] or datetime.now(UTC),
        wait=options["wait"],
        needs=needs,
        writes=writes,
        checks_mappings=checks_mappings,
    )
    click.get_current_context().call_on_close(context.jq.close)
    show_problems(context.warnings)
    return context


def open_database(options: dict[str, Any]) -> Database:
    """The database of the target that the options name, for looking into it. Only project.yml has
    to be right: a mapping that is broken is a reason to look.

    Raises:
        UserError: findings about project.yml and the target.
    """
    from lading.warehouse.database import Database

    target = open_settings(options).target
    return Database(target.database, target.storage_version, target.threads, options["wait"])


def open_settings(options: dict[str, Any]) -> Project:
    """The project that the options name, of whose files only project.yml has to be right.

    Raises:
        UserError: findings about project.yml and the target.
    """
    from lading.commands.options import project_folder
    from lading.errors import UserError
    from lading.project.environment import read_environment
    from lading.project.load import FILE, load_project

    root = project_folder(click.get_current_context())
    project, problems = load_project(
        root, environment=read_environment(root), target=options["target"]
    )
    ours = [each for each in problems if each.place and each.place.file in {FILE, "--target"}]
    if project is None or ours:
        raise UserError(problems=ours)
    return project
