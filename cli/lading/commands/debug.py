"""`lading debug`: is everything there that a sync needs?"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, project_options

if TYPE_CHECKING:
    from pathlib import Path

    from lading.pipeline.diagnosis import Finding
    from lading.project.model import Project

LABELS = {"ok": ("OK   ", "green"), "warn": ("WARN ", "yellow"), "error": ("ERROR", "red")}


@click.command("debug", short_help="Check files, keys, rights, clock and Port.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["text", "json"]),
    default="text",
    help="How it is printed [text].",
)
@project_options
def command(output: str, **options: Any) -> int:
    """Check the files, the database, each key and its rights, the clock, and Port; each line is OK
    or what to do. What is missing keeps nothing else from being looked at.

    Makes a handful of small requests and writes nothing. The exit code is 2 if the files are wrong,
    1 if anything else is.
    """
    from lading.pipeline.diagnosis import exit_code

    found: list[Finding] = []
    for finding in _findings(options):
        # Answers take a while: whoever watches sees each line when it is known.
        if output == "text":
            _show(finding, found)
        found.append(finding)
    if output == "json":
        _print_json(found)
    return exit_code(found)


def _show(finding: Finding, before: list[Finding]) -> None:
    from lading.commands.output import say

    label, colour = LABELS[finding.state]
    say(f"{click.style(label, fg=colour)}  {finding.name}: {finding.said}")
    if finding.hint and finding.state != "ok" and not _was_just_said(finding, before):
        say(f"       {finding.hint}")


def _was_just_said(finding: Finding, before: list[Finding]) -> bool:
    """Whether the line before, about the same server, has the same to do."""
    if not before or before[-1].hint != finding.hint:
        return False
    return before[-1].name.split()[0] == finding.name.split()[0]


def _print_json(found: list[Finding]) -> None:
    import json
    from dataclasses import asdict

    from lading.commands.output import say

    well = all(each.state != "error" for each in found)
    say(json.dumps({"well": well, "findings": [asdict(each) for each in found]}, indent=1))


def _findings(options: dict[str, Any]) -> Iterator[Finding]:
    from lading.extract.streams import read_streams
    from lading.pipeline import diagnosis
    from lading.pipeline.diagnosis_servers import of_connections

    yield diagnosis.of_program()
    project = yield from _files(options)
    if project is not None:
        now = options["now"] or datetime.now(UTC)
        yield from of_connections(project, read_streams(project), now)


def _files(options: dict[str, Any]) -> Generator[Finding, None, Project | None]:
    """What is said of the files; gives the project, as far as they tell what it is."""
    from lading.commands.options import project_folder
    from lading.errors import UserError
    from lading.pipeline import diagnosis
    from lading.pipeline.context import open_context

    root = project_folder(click.get_current_context())
    try:
        context = open_context(
            root,
            target=options["target"],
            variables={**options["vars_"], **options["var"]},
            now=options["now"] or datetime.now(UTC),
            writes=False,
        )
    except UserError as error:
        yield from (diagnosis.of_problem("files", each) for each in error.problems)
        return (yield from _half_a_project(root, options))
    click.get_current_context().call_on_close(context.jq.close)
    yield from diagnosis.of_files(context)
    yield diagnosis.of_project(context.project)
    yield from diagnosis.of_database(context.project, options["wait"])
    return context.project


def _half_a_project(
    root: Path, options: dict[str, Any]
) -> Generator[Finding, None, Project | None]:
    """A project some of whose files are wrong; without any, the settings of a new one."""
    from lading import starter
    from lading.errors import UserError
    from lading.pipeline import diagnosis
    from lading.project.environment import read_environment
    from lading.project.load import FILE, load_project

    is_there = (root / FILE).is_file()
    if not is_there:
        said = "what follows is by the settings of a new project"
        yield diagnosis.Finding("files", "warn", said, "`lading init` lays one out")
    try:
        environment = read_environment(root)
    except UserError:  # told already
        return None
    project, _ = load_project(
        root if is_there else starter.root(),
        environment=environment,
        target=options["target"] if is_there else None,
    )
    if project is not None and is_there:
        yield diagnosis.of_project(project)
        yield from diagnosis.of_database(project, options["wait"])
    return project
