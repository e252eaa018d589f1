"""`lading query`: SQL at the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, project_options
from lading.commands.rows import output_option

if TYPE_CHECKING:
    from lading.pipeline.asking import Desk


@click.command("query", short_help="Ask the database something, in SQL.")
@click.argument("sql", required=False)
@click.option("--file", "file", cls=Option, type=click.Path(), help="A file with SQL; - is stdin.")
@click.option("--named", cls=Option, metavar="NAME", help="Ask a question of queries/.")
@click.option("--list", "list_", cls=Option, is_flag=True, help="List the questions of queries/.")
@output_option
@project_options
def command(
    sql: str | None,
    file: str | None,
    named: str | None,
    list_: bool,
    output: str,
    **options: Any,
) -> None:
    """Ask the database something, in SQL.

    SQL is the argument, a file (--file), stdin, or a question that has a name: queries/ has ready
    ones, files of SQL in which ref() and var() mean what they mean in models; --var sets variables.
    Without any, on a terminal, a prompt opens: .help there tells what it takes.

    The database is opened read-only. CSV and JSON come row by row, and keep every digit of a
    decimal; times are UTC.
    """
    from lading.commands.asked import ask
    from lading.commands.project import open_database

    if sum(each is not None for each in (sql, file, named)) + list_ > 1:
        given = "the SQL as an argument, as --file or as --named, or --list"
        raise click.UsageError(f"give {given}: one of them, not both")
    if list_:
        _show_questions(_open_desk(options), output)
    elif named is not None:
        desk = _open_desk(options)
        question = desk.named(named)
        ask(desk.database, question.sql, output, sys.stdout, question.placed)
    elif sql is None and file is None and sys.stdin.isatty() and sys.stdout.isatty():
        _sit_down(_open_desk(options), output)
    else:
        ask(open_database(options), _text(sql, file), output, sys.stdout)


def _open_desk(options: dict[str, Any]) -> Desk:
    from datetime import UTC, datetime

    from lading.commands.options import project_folder
    from lading.commands.output import look_in
    from lading.pipeline.asking import open_desk

    root = project_folder(click.get_current_context())
    look_in(root)
    return open_desk(
        root,
        target=options["target"],
        variables={**options["vars_"], **options["var"]},
        now=options["now"] or datetime.now(UTC),
        wait=options["wait"],
    )


def _sit_down(desk: Desk, output: str) -> None:
    from lading.commands.prompt import Prompt

    Prompt(desk, output).run()


def _show_questions(desk: Desk, output: str) -> None:
    from lading.commands.asked import print_questions

    print_questions(desk, output, sys.stdout)


def _text(sql: str | None, file: str | None) -> str:
    if sql is not None and sql != "-":
        return sql
    if file is not None and file != "-":
        try:
            return Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"can't be read: {error}", param_hint="--file") from error
    if sys.stdin.isatty():
        raise click.UsageError("what shall be asked? give the SQL as an argument, or --file")
    return sys.stdin.read()
