"""`lading map`: try a mapping out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.commands import completing
from lading.commands.options import Option, project_options

if TYPE_CHECKING:
    from lading.mapping.trials import Trial
    from lading.mapping.workers import Workers
    from lading.pipeline.context import Context
    from lading.pipeline.playground import Source, Tried
    from lading.project.documents import Document

    # A mapping file that need not be the project's, and its text.
    Mapping = tuple[Document, str]

SHOWN = 5
FORMATS = ("text", "json")
# Identifiers that one which is not there is compared with.
MOST_COMPARED = 5000


@click.command("map", short_help="Try a mapping out, on rows or on JSON of your own.")
@click.argument("resources", metavar="[RESOURCE]...", nargs=-1, shell_complete=completing.resources)
@click.option("--records", cls=Option, metavar="FILE", help="JSON to map instead; - is stdin.")
@click.option("--mapping", cls=Option, metavar="FILE", help="A mapping file; - is stdin.")
@click.option(
    "--limit",
    cls=Option,
    type=click.IntRange(1),
    help=f"How many records are read [{SHOWN}; all with --explain or --output json].",
)
@click.option("--where", cls=Option, metavar="SQL", help="A condition on the resource's rows.")
@click.option("--explain", cls=Option, metavar="IDENTIFIER", help="Which rows made this entity.")
@click.option("--unmapped", cls=Option, is_flag=True, help="Fields that no expression reads, too.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(FORMATS),
    default="text",
    help="How it is printed [text].",
)
@project_options
def command(resources: tuple[str, ...], **options: Any) -> int:
    """Show what mappings make of the rows that have landed: each entity, and what each expression
    gave, or why it gave nothing. Nothing is sent or written, and no key is needed.

    A RESOURCE is named by its name or its kind. --records takes any JSON instead of rows: an
    object, a list, or a line for each. --mapping takes a file that need not be the project's; with
    --records it needs no project at all.

    An expression that does not compile is, here alone, one that fails. The exit code is 1 if a
    selector gave neither true nor false, or a record could not be carried out.
    """
    from lading.mapping.workers import Workers
    from lading.pipeline.playground import TIME_LIMIT

    if options["records"] == options["mapping"] == "-":
        raise click.UsageError("stdin is either the records or the mapping, not both")
    if options["records"] is not None and options["where"] is not None:
        raise click.UsageError("--where is about rows that have landed, not about --records")
    mapping, records = _mapping(options["mapping"]), _records(options["records"])
    context = _project(options, mapping, records)
    with Workers(1) if context is None else nullcontext(context.jq) as workers:
        workers.time_limit = TIME_LIMIT
        trials = _trials(options, context, mapping, workers, resources)
        with _source(options, context, records, trials) as source:
            return _try_out(options, trials, source, workers)


def _mapping(file: str | None) -> Mapping | None:
    from lading.mapping.trials import read_mapping

    if file is None:
        return None
    text = _text("--mapping", file)
    return read_mapping(_name(file), text), text


def _records(records: str | None) -> tuple[str, ...] | None:
    from lading.mapping.records import split_records

    return None if records is None else split_records(_text("--records", records), _name(records))


def _name(file: str) -> str:
    return "stdin" if file == "-" else file


def _text(option: str, file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        message = f"{_name(file)} can't be read: {said}"
        raise click.BadParameter(message, param_hint=option) from error
    return text.removeprefix("\ufeff")


def _project(
    options: dict[str, Any], mapping: Mapping | None, records: Sequence[str] | None
) -> Context | None:
    """The project, if mapping or records are to come from it."""
    from lading.commands.project import open_project

    if mapping is not None and records is not None:
        return None
    return open_project(options, checks_mappings=False)


def _trials(
    options: dict[str, Any],
    context: Context | None,
    mapping: Mapping | None,
    workers: Workers,
    names: Sequence[str],
) -> tuple[Trial, ...]:
    """The resources that are to be tried out; what is wrong with them is shown."""
    from datetime import UTC, datetime

    from lading.commands.mapped import show_faults
    from lading.commands.output import show_problems
    from lading.errors import UserError
    from lading.mapping.kinds import all_kinds
    from lading.mapping.trials import chosen, read_trials, with_rows

    def read(file: str) -> str:
        if mapping is not None:
            return mapping[1]
        return (context.project.root / file).read_text("utf-8") if context is not None else ""

    documents: tuple[Document, ...] = () if mapping is None else mapping[:1]
    if mapping is None and context is not None:
        documents = context.project.mappings
    now = context.now if context is not None else options["now"] or datetime.now(UTC)
    trials, problems = read_trials(documents, now, workers, read)
    trials = chosen(trials, names)
    if options["records"] is None and context is not None:
        trials, more = with_rows(trials, all_kinds(context.project), now)
        problems = (*problems, *more)
    show_problems(problems)
    if not trials:
        raise UserError("there is no resource", hint="a mapping file has them below resources:")
    show_faults(trials)
    return trials


@contextmanager
def _source(
    options: dict[str, Any],
    context: Context | None,
    records: Sequence[str] | None,
    trials: Sequence[Trial],
) -> Iterator[Source]:
    """The records; of rows the database is open meanwhile, for reading."""
    from lading.pipeline.landed_rows import Landed, Records, check_condition

    if records is not None or context is None:
        yield Records(records or ())
        return
    where = options["where"]
    with context.database.reading() as connection:
        for each in trials if where is not None else ():
            check_condition(context, connection, each.resource, where)
        yield Landed(context, connection, where)


def _try_out(
    options: dict[str, Any], trials: Sequence[Trial], source: Source, workers: Workers
) -> int:
    from lading.commands.mapped import PRINTERS
    from lading.pipeline.playground import Wish, try_out

    explain, is_text = options["explain"], options["output"] == "text"
    limit = options["limit"] or (SHOWN if is_text and explain is None else None)
    wish = Wish(limit, explain, expressions=is_text, unmapped=options["unmapped"])
    with PRINTERS[options["output"]](wish) as printer:
        results = [try_out(trial, source, workers, wish, printer) for trial in trials]
    if explain is not None and not any(each.tally.entities or each.failed for each in results):
        raise _not_made(explain, results)
    return max(_exit_code(each) for each in results)


def _exit_code(tried: Tried) -> int:
    if tried.failed is not None:
        return tried.failed.exit_code
    return int(bool(tried.tally.selector_errors))


def _not_made(identifier: str, results: Sequence[Tried]) -> Exception:
    from difflib import get_close_matches

    from lading.errors import UserError

    known = [name for each in results for name in each.identifiers]
    close = get_close_matches(identifier, known[:MOST_COMPARED], n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"{len(known):,} other entities are made"
    return UserError(f"no row makes an entity '{identifier}'", hint=hint)
