"""The parts of `lading status`, for whatever it is printed as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from lading.commands.output import count
from lading.commands.sections import Section

if TYPE_CHECKING:
    from lading.extract.closing import Closing
    from lading.extract.freshness import Standing
    from lading.extract.restatements import Restatement
    from lading.pipeline.books import Missing, PastRun, Status
    from lading.pipeline.standing_in_port import Held, Refused

FIRST = 3
# So many restatements, and reasons for refusals, are shown; all of them are in the JSON.
SHOWN = 10
DAY = timedelta(days=1)
# Columns of what Port holds that are left out where all they have is nothing, and what they mean.
EXCEPTIONS: Mapping[str, str] = {
    "missing": "",
    "different": "held as it was before it changed",
    "surplus": "held, and not in the last plan",
    "uncertain": "sent, and never answered: it is sent again",
    "refused": "",
}


def sections(status: Status, *, every_refused: bool) -> Iterator[Section]:
    """All of them, in their order; with `every_refused` each refused entity is named."""
    yield _runs(status.runs)
    yield _freshness(status.freshness)
    yield _closing(status.closing, status.now)
    yield _missing(status.missing)
    yield _restatements(status.restatements)
    yield from _port(status.held)
    yield from _refused(status.refused, every_refused=every_refused)


def _runs(runs: Sequence[PastRun]) -> Section:
    rows = [
        (
            _utc(each.started_at),
            each.command,
            each.status,
            each.exit_code,
            "" if each.seconds is None else _took(each.seconds),
            each.records,
            each.entities,
            each.refused,
        )
        for each in runs
    ]
    headings = ["started", "command", "result", "exit", "took", "records", "pushed", "refused"]
    return Section("Last runs", headings, rows, [list(_told(each)) for each in runs], "more")


def _told(run: PastRun) -> Iterator[str]:
    """What there is to say of a run beside its figures."""
    parts = [
        count(run.requests, "request") if run.requests else "",
        f"{run.retries:,} tried again" if run.retries else "",
        f"{run.failed:,} failed" if run.failed else "",
        f"{count(run.deleted, 'entity', 'entities')} deleted" if run.deleted else "",
    ]
    if any(parts):
        yield ", ".join(filter(None, parts))
    if run.status == "died":
        yield "has no end on record: it was killed"
    elif run.status == "running":
        yield "has no end on record: it still goes on, or it was killed"
    if run.error:
        yield f"ended with: {run.error}"


def _freshness(standings: Sequence[Standing]) -> Section:
    rows = [
        (
            each.stream,
            each.state,
            _utc(each.up_to) if each.up_to else "-",
            _span(each.behind),
            _span(each.limits.warn_after if each.limits else None),
            _span(each.limits.error_after if each.limits else None),
        )
        for each in standings
    ]
    if not rows:
        return Section("Nothing is asked for")
    headings = ["stream", "state", "up to", "behind", "warn after", "error after"]
    return Section("Freshness", headings, rows)


def _closing(closing: Sequence[Closing], now: datetime) -> Section:
    rows = [
        (
            each.stream,
            f"{each.closed_up_to - DAY:%Y-%m-%d}" if each.closed_up_to else "-",
            f"{each.next_day:%Y-%m-%d}",
            "with the next sync" if each.next_closes_at <= now else _utc(each.next_closes_at),
        )
        for each in closing
    ]
    if not rows:
        return Section("No report is asked for, so no day closes")
    return Section("Closed days", ["stream", "final through", "next day", "closes"], rows)


def _missing(missing: Sequence[Missing]) -> Section:
    if not missing:
        return Section("Nothing is missing")
    rows = [
        (
            each.stream,
            each.width,
            _utc(each.starting_at),
            _utc(each.ending_at),
            each.slices,
            each.state,
        )
        for each in missing
    ]
    headings = ["stream", "width", "from", "to", "slices", "state"]
    notes = [[_why(each)] for each in missing]
    return Section("Missing, or asked for again", headings, rows, notes, "why")


def _why(missing: Missing) -> str:
    dimensions = ", ".join(missing.request.get("group_by", ()))
    return f"by {dimensions}: {missing.why}" if dimensions else missing.why


def _restatements(found: Sequence[Restatement]) -> Section:
    from lading.extract.restatements import in_words
    from lading.pipeline.books import RESTATED_WITHIN

    within = f"in the last {count(RESTATED_WITHIN.days, 'day')}"
    if not found:
        return Section(f"Nothing was restated {within}")
    # Views of one stream are of the same days, and are told as one.
    of_streams = [
        list(those)
        for _, those in groupby(
            found, lambda each: (each.run_id, each.restated.connection, each.restated.stream)
        )
    ]
    rows = [
        (
            _utc(max(each.restated_at for each in those)),
            _days(min(each.starting_at for each in those), max(each.ending_at for each in those)),
        )
        for those in of_streams
    ]
    notes = [[in_words([each.restated for each in those])] for those in of_streams]
    more = len(rows) - SHOWN
    hint = f"{more:,} more; " if more > 0 else ""
    return Section(
        f"Restated {within}",
        ["found", "days"],
        rows[:SHOWN],
        notes[:SHOWN],
        "by how much",
        f"{hint}figure by figure: lading query 'FROM lading.restatements'",
    )


def _port(held: Sequence[Held]) -> Iterator[Section]:
    if not held:
        yield Section("Port holds nothing yet")
    for _, those in groupby(held, lambda each: each.destination):
        yield _destination(list(those))


def _destination(held: Sequence[Held]) -> Section:
    shown = [name for name in EXCEPTIONS if any(getattr(each, name) for each in held)]
    planned = any(each.planned is not None for each in held)
    rows = [
        (
            each.blueprint,
            *([each.planned] if planned else []),
            each.entities,
            *(getattr(each, name) for name in shown),
            _utc(each.pushed_at) if each.pushed_at else "-",
        )
        for each in held
    ]
    headings = ["blueprint", *(["planned"] if planned else []), "held", *shown, "last pushed"]
    hint = "\n".join(f"{name}: {EXCEPTIONS[name]}" for name in shown if EXCEPTIONS[name])
    return Section(_holds(held), headings, rows, hint=hint)


def _holds(held: Sequence[Held]) -> str:
    """The sum of it: `Port (…) holds 46 of 52 entities`."""
    name = f"Port ({held[0].destination})" if held[0].destination else "Port"
    holds = sum(each.entities for each in held)
    if any(each.planned is None for each in held):
        return f"{name} holds {count(holds, 'entity', 'entities')}; there was no plan yet"
    planned = sum(each.planned or 0 for each in held)
    wanted = holds - sum(each.surplus or 0 for each in held)
    return f"{name} holds {wanted:,} of {count(planned, 'entity', 'entities')}"


def _refused(refused: Sequence[Refused], *, every_refused: bool) -> Iterator[Section]:
    several = len({each.destination for each in refused}) > 1
    for destination, those in groupby(refused, lambda each: each.destination):
        where = f" ({destination})" if several else ""
        yield _reasons(f"Refused by Port{where}", list(those), every_refused=every_refused)


def _reasons(title: str, refused: Sequence[Refused], *, every_refused: bool) -> Section:
    reasons = [list(those) for _, those in groupby(refused, _reason)]
    shown = reasons if every_refused else _most(reasons)
    rows = [(those[0].blueprint, len(those), _answer(those[0])) for those in shown]
    notes = [
        [those[0].message or "without a reason", *_named(those, every_refused=every_refused)]
        for those in shown
    ]
    more = len(reasons) - len(shown)
    hint = f"and {count(more, 'other reason')}; " if more else ""
    all_of_them = f"{hint}all of them: lading status --refused, lading query 'FROM lading.refused'"
    return Section(
        title,
        ["blueprint", "entities", "answer"],
        rows,
        notes,
        "reason",
        "" if every_refused else all_of_them,
    )


def _reason(refused: Refused) -> tuple[object, ...]:
    return refused.blueprint, refused.message, refused.status, refused.error


def _most(reasons: Sequence[Sequence[Refused]]) -> Sequence[Sequence[Refused]]:
    """Those of the most entities."""
    return sorted(reasons, key=len, reverse=True)[:SHOWN]


def _answer(refused: Refused) -> str:
    said = f"{refused.status or ''} {refused.error or ''}".strip()
    return said if refused.status else f"not sent, {said}"


def _named(refused: Sequence[Refused], *, every_refused: bool) -> list[str]:
    names = [each.identifier for each in refused]
    if every_refused or len(names) <= FIRST:
        return names
    return [*names[:FIRST], f"and {len(names) - FIRST:,} more"]


def _days(start: datetime, end: datetime) -> str:
    """The days that a period touches, which ends before `end`."""
    last = end - timedelta.resolution
    same = start.date() == last.date()
    return f"{start:%Y-%m-%d}" if same else f"{start:%Y-%m-%d} to {last:%Y-%m-%d}"


def _took(seconds: float) -> str:
    from lading.project.spans import span_text

    return f"{seconds:.1f}s" if seconds < 60 else span_text(timedelta(seconds=seconds))


def _span(span: timedelta | None) -> str:
    from lading.project.spans import span_text

    return "-" if span is None else span_text(span)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
