"""`lading compile`: the SQL as DuckDB gets it."""

from __future__ import annotations

from typing import Any

import click

from lading.commands import completing
from lading.commands.choice import choice_options, read_choice
from lading.commands.options import Option, project_options


@click.command("compile", short_help="Write the SQL as DuckDB gets it.")
@click.argument("nodes", metavar="[NODES]...", nargs=-1, shell_complete=completing.nodes)
@click.option("--inline", cls=Option, metavar="SQL", help="Compile this instead, and print it.")
@choice_options
@project_options
def command(nodes: tuple[str, ...], inline: str | None, **options: Any) -> None:
    """Write the SQL of models and tests as DuckDB gets it to target/compiled/; that of the NODES
    is printed, too.

    A resource model is compiled for the selector of each mapping that uses it; a mapping also to
    the one JQ program that is run on its rows. What the project is made of goes to
    target/manifest.json, and to target/schemas/ the JSON Schemas by which editors complete and
    check its files. Names of columns, also those in queries/, are checked on an empty copy of the
    database; the database itself is not opened.
    """
    from lading.commands.output import remark, say, show_problems
    from lading.commands.project import open_project
    from lading.errors import UserError
    from lading.pipeline.artifacts import write_artifacts, write_schemas
    from lading.pipeline.asking import question_problems
    from lading.pipeline.compiled import compiled_inline, compiled_of, write_compiled
    from lading.pipeline.model_checks import empty_copy
    from lading.pipeline.nodes import nodes_of

    choice = read_choice(options)
    context = open_project(options)
    if inline is not None:
        say(compiled_inline(context, inline))
        return
    with empty_copy(context) as made:
        problems = (*made.bound.problems, *question_problems(context, made))
        if any(each.severity == "error" for each in problems):
            raise UserError(problems=problems)
        show_problems(problems)
    known = nodes_of(context)
    written = write_compiled(context, known)
    write_artifacts(context)
    write_schemas(context)
    if nodes or choice.select or choice.exclude:
        ids = choice.ids(known, nodes)
        for title, sql in compiled_of(context, ids):
            say(f"{'--' if title.endswith('.sql') else '#'} {title}\n{sql}\n")
    remark(f"{written:,} files in {context.project.target_path / 'compiled'}")
