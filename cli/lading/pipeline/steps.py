"""The steps, one after the other: extract, build, map, push."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from lading import log
from lading.errors import Problem, UserError, nearest
from lading.extract.plan import EVERYTHING, Scope
from lading.extract.streams import SNAPSHOT
from lading.pipeline.days import Days

if TYPE_CHECKING:
    from lading.extract.plan import Extract, Landed, Plan, Request
    from lading.extract.run import Extraction
    from lading.extract.unknown import Unknown
    from lading.pipeline.context import Context, Work
    from lading.pipeline.watching import Watcher
    from lading.transform.build import NodeResult


@dataclass(frozen=True, slots=True)
class Blocked:
    """A resource that is not pushed, and why; `problems` are about its file."""

    resource: str
    why: str
    problems: tuple[Problem, ...] = ()


def plan_extraction(context: Context, scope: Scope = EVERYTHING) -> Plan:
    """What an extraction would ask for now; reads the books, and asks nobody.

    Raises:
        UserError: the scope names a stream that no source has.
    """
    from lading.extract.landing import closed_periods
    from lading.extract.plan import plan
    from lading.extract.restatements import outdated_periods
    from lading.warehouse.tables import has_books

    known = {stream.name for stream in context.streams}
    for name in sorted(scope.streams - known):
        raise UserError(f"there is no stream '{name}'", hint=nearest(name, known))
    closed: Landed = {}
    outdated: Landed = {}
    if context.database.path.exists():
        with context.database.reading() as connection:
            if has_books(connection):
                closed, outdated = closed_periods(connection), outdated_periods(connection)
    return plan(context.streams, context.askings, closed, context.now, scope, outdated)


def extract(work: Work, watcher: Watcher, scope: Scope = EVERYTHING) -> Extraction:
    """Fetch what is asked for and not closed yet, within a scope, compare it with its control
    totals, and tell what was restated and what the models do not know."""
    from lading.extract.restatements import tell_restated
    from lading.extract.totals import check_totals

    planned = plan_extraction(work.context, scope)
    extraction = work.so_far.extraction = _fetch(work, watcher, planned)
    if scope.control_totals:
        extraction = check_totals(
            planned,
            extraction,
            lambda again: _fetch(work, watcher, again, len(planned.requests) + 1),
            work.context.database,
            work.run,
        )
    if any(each.landed for each in extraction.outcomes):
        restated = tell_restated(work.context.database, work.run.id)
        extraction = replace(extraction, restated=restated)
    work.incomplete |= bool(extraction.failed_streams or extraction.differing_streams)
    extraction = work.so_far.extraction = replace(extraction, unknown=_look_through(work))
    return extraction


def _look_through(work: Work) -> tuple[Unknown, ...]:
    from lading.extract.unknown import look_through, put_on_record
    from lading.transform.decoded import known_fields

    context = work.context
    decoded = {
        each.name: known_fields(context.graph, each.name, context.cache) for each in context.streams
    }
    context.cache.save()
    known = {name: fields for name, fields in decoded.items() if fields is not None}
    with context.database.writing() as connection:
        found = look_through(connection, context.streams, known)
        put_on_record(connection, found, work.run)
    for each in found:
        log.info(
            "unknown",
            str(each),
            connection=each.connection,
            stream=each.stream,
            fields=each.fields,
            values=each.values,
        )
    return found


def _fetch(work: Work, watcher: Watcher, planned: Plan, first_number: int = 1) -> Extraction:
    from lading.extract.run import extract as carry_out

    days = Days(planned.requests)
    lists = {each.name for each in work.context.streams if each.iterate == "snapshot"}
    for stream, total in days.totals.items():
        watcher.start(stream, total, "lists" if stream in lists else "days")
    for one in planned.extracts:
        requests = [each for each in planned.requests if each.extract is one]
        if requests:
            _say_what(one, requests)
    return carry_out(
        planned,
        work.context.project.connections,
        work.context.database,
        work.run,
        lambda request, records: watcher.advance(
            request.extract.stream.name, days.arrived(request), records
        ),
        first_number,
        partial(_note_stopped, work),
    )


def _note_stopped(work: Work, done: Extraction) -> None:
    # What is fetched a second time, to be compared, is told with what came first.
    work.so_far.extraction = work.so_far.extraction or done


def _say_what(one: Extract, requests: Sequence[Request]) -> None:
    reasons = ", ".join(sorted({each.reason for each in requests}))
    if one.width == SNAPSHOT:
        log.info("extract", f"extract {one.stream.name} ({reasons})", stream=one.stream.name)
        return
    by = f" by {', '.join(one.dimensions)}" if one.dimensions else ""
    first = min(each.period.starting_at for each in requests)
    # The last day that is asked for, not the one that it ends before.
    last = max(each.period.ending_at for each in requests) - timedelta(microseconds=1)
    number = "1 request" if len(requests) == 1 else f"{len(requests):,} requests"
    log.info(
        "extract",
        f"extract {one.stream.name} {one.width}{by}: {first:%Y-%m-%d} to {last:%Y-%m-%d}, "
        f"{number} ({reasons})",
        stream=one.stream.name,
        requests=len(requests),
    )


def blocked(
    context: Context,
    failed_streams: Iterable[str],
    differing_streams: Iterable[str],
    nodes: Sequence[NodeResult],
) -> tuple[Blocked, ...]:
    """The resources that depend on a stream or a model that failed, or on a stream whose control
    totals differ."""
    streams = frozenset(failed_streams)
    differing = frozenset(differing_streams)
    bad = _not_good(nodes)
    found = []
    for resource in context.resources:
        needed = context.graph.streams(resource.model)
        bad_streams = sorted(streams & needed)
        bad_totals = sorted(differing & needed)
        bad_models = sorted(bad & _read_by(context, resource.model))
        if bad_streams:
            found.append(Blocked(resource.name, f"{', '.join(bad_streams)} could not be fetched"))
        elif bad_totals:
            why = f"control totals of {', '.join(bad_totals)} differ"
            found.append(Blocked(resource.name, why))
        elif bad_models:
            why = f"{', '.join(bad_models)} could not be built, or did not pass a test"
            found.append(Blocked(resource.name, why))
    return tuple(found)


def _read_by(context: Context, model: str) -> frozenset[str]:
    """The names of all models, streams and files that a resource model's rows come from."""
    models = context.graph.ancestors([model])
    sources = (each.stream for name in models for each in context.graph.models[name].sources)
    return models | frozenset(sources)


def _not_good(nodes: Sequence[NodeResult]) -> frozenset[str]:
    """The names of the nodes that could not be made, or that a failing test reads."""
    bad = {each.node for each in nodes if not each.is_good}
    for node in nodes:
        for result in node.tests:
            bad.update(result.test.depends_on if result.outcome in {"fail", "error"} else ())
    return frozenset(each.rpartition(".")[2] for each in bad)


def streams_that_failed_last(context: Context) -> frozenset[str]:
    """The streams whose last extraction did not get everything it asked for."""
    with context.database.reading() as connection:
        rows = connection.execute(
            """
            SELECT DISTINCT connection, stream FROM lading.requests
            WHERE status <> 'landed' AND (connection, stream, run_id) IN (
                SELECT (connection, stream, arg_max(run_id, ended_at)) FROM lading.requests
                GROUP BY connection, stream
            )
            """
        ).fetchall()
    known = {(stream.connection, stream.name) for stream in context.streams}
    return frozenset(stream for connection, stream in rows if (connection, stream) in known)


def streams_that_differed_last(context: Context) -> frozenset[str]:
    """The streams whose control totals differed in their last extraction."""
    from lading.extract.totals import streams_that_differ

    with context.database.reading() as connection:
        return streams_that_differ(connection)
