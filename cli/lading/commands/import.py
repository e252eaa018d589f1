"""`lading import`: mappings and blueprints of Port's own integrations, taken over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, project_options

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.pipeline.importing import Imported
    from lading.pipeline.imports import Given


@click.command("import", short_help="Take a mapping and blueprints over from Port.")
@click.option(
    "--from",
    "files",
    cls=Option,
    multiple=True,
    metavar="FILE",
    help="A mapping, an exported integration, or blueprints, as YAML or JSON; - is stdin.",
)
@click.option(
    "--integration", cls=Option, metavar="ID", help="An integration that Port has; it is only read."
)
@click.option(
    "--name",
    cls=Option,
    metavar="NAME",
    help="What the mapping's file is called [like its origin].",
)
@click.option("--no-blueprints", cls=Option, is_flag=True, help="Take over the mapping alone.")
@click.option("-n", "--dry-run", cls=Option, is_flag=True, help="Print the files; write nothing.")
@project_options
def command(
    files: tuple[str, ...],
    integration: str | None,
    name: str | None,
    no_blueprints: bool,
    dry_run: bool,
    **options: Any,
) -> int:
    """Take the mapping and the blueprints of one of Port's integrations over into mappings/: of its
    integration for Claude as they are, of a custom integration with its endpoints, query parameters
    and expressions as kinds, selectors and expressions of this project.

    What can't be taken over is listed with the reason, and the exit code is 1 then. No file that is
    there is changed, and nothing in Port.
    """
    from lading.commands.project import open_project
    from lading.pipeline.importing import imported

    if bool(files) == bool(integration):
        raise click.UsageError("name files with --from, or an integration of Port's")
    context = open_project(options, ("port",) if integration else (), checks_mappings=False)
    given = _from_port(context, integration) if integration else _from_files(files)
    called = _file_name(name or integration or given.origin)
    made = imported(context, given, called, blueprints=not no_blueprints)
    _leave(context, made, given, dry_run=dry_run)
    return int(bool(made.left_out))


def _from_port(context: Context, integration: str) -> Given:
    from lading.pipeline.imports import read_integration
    from lading.port.client import PortClient

    with PortClient(context.port) as client:
        return read_integration(client, integration)


def _from_files(files: tuple[str, ...]) -> Given:
    from lading.pipeline.imports import read_given

    return read_given((_shown_name(each), _text(each)) for each in files)


def _shown_name(file: str) -> str:
    return "stdin" if file == "-" else file


def _text(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        message = f"{_shown_name(file)} can't be read: {said}"
        raise click.BadParameter(message, param_hint="--from") from error
    return text.removeprefix("\ufeff")


def _file_name(name: str) -> str:
    import re

    return re.sub(r"[^\w.-]", "_", Path(name).stem if "." in name else name).strip("_.-") or "port"


def _leave(context: Context, made: Imported, given: Given, *, dry_run: bool) -> None:
    """Write the files, or print them; and say what is in them and what is not."""
    from lading.commands.output import count, say, show_problems
    from lading.starter import lay_out

    if dry_run:
        for name, content in made.files.items():
            say(f"# {name}\n{content.decode()}")
    elif made.files:
        lay_out(context.project.root, made.files, what="the import")
    show_problems(made.problems)
    if dry_run:
        return
    for name in made.files:
        say(f"wrote {name}")
    left = f"; {len(made.left_out)} left out, with the reasons above" if made.left_out else ""
    known = f" ({count(len(made.known), 'more')} there already)" if made.known else ""
    say(
        f"Took over {count(made.resources, 'resource')} and "
        f"{count(len(made.blueprints), 'blueprint')}{known} from {given.origin or 'files'}{left}."
    )
