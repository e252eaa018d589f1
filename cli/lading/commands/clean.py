"""`lading clean`: without what was made of the project."""

from __future__ import annotations

from typing import Any

import click

from lading.commands.options import Option, database_options


@click.command("clean", short_help="Remove target/.")
@click.option("-n", "--dry-run", cls=Option, is_flag=True, help="Only say what would be removed.")
@database_options
def command(dry_run: bool, **options: Any) -> None:
    """Remove the folder for what is made of the project: compiled SQL, the manifest, results,
    schemas, and what is kept of files that have not changed. All of it is made again when it is
    needed.

    The database, and what was received and is not in it yet, stay. A target-path that leads out of
    the project, or to anything else than what was made, is refused.
    """
    from lading.commands.output import count, say
    from lading.commands.project import open_settings
    from lading.pipeline.cleaning import made_of

    project = open_settings(options)
    made = made_of(project)
    if made is None:
        say(f"There is no {project.target_path}: nothing to remove.")
        return
    how_much = f"{count(made.files, 'file')}, {made.size / 1_048_576:,.1f} MiB"
    if dry_run:
        say(f"Would remove {made.folder}: {how_much}.")
        return
    made.remove()
    say(f"Removed {made.folder}: {how_much}.")
