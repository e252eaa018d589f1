"""How a plan looks: entity by entity and summed up, as text, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from lading.commands.output import complain, count, counts, say, show_problems, table

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.pipeline.push_plans import PushPlan
    from lading.pipeline.steps import Blocked
    from lading.pipeline.sync import Planned as PlannedPush
    from lading.port.blueprint_plan import BlueprintPlan
    from lading.port.planned import Planned, PlannedChange

# Blueprint, reason, how many.
Kept = tuple[str, str, int]
WIDTH = 80
LONGEST_VALUE = 60
# Columns that are shown whatever is in them, and those that are where anything is.
ALWAYS = ("create", "change", "delete", "unchanged")
SOMETIMES = ("kept", "refused", "conflicting", "left_out")


def show_plan(context: Context, planned: PlannedPush, output: str, most: int | None) -> None:
    """The plan, with at most `most` entities for each blueprint and action."""
    if output == "json":
        say(as_document(context, planned))
    elif output == "markdown":
        say("\n".join(_markdown(context, planned, most)))
    else:
        from lading.commands.blueprint_report import blueprint_lines

        plan = planned.plan
        show_blocked(planned.blocked)
        show_problems(plan.blueprints.problems)
        about = blueprint_lines(_known(plan), plan.blueprints.extend)
        for line in (*about, *_entities(context, most), *summary(plan)):
            say(line)


def as_document(context: Context, planned: PlannedPush) -> str:
    """The plan as JSON, every entity in it."""
    from lading.commands.blueprint_report import blueprint_data
    from lading.pipeline.plan_files import document

    return document(context, planned.plan, planned.blocked, blueprint_data(_known(planned.plan)))


def _known(plan: PushPlan) -> Sequence[BlueprintPlan]:
    """Of blueprints nothing is to be said if Port was not asked."""
    return plan.blueprints.plans if plan.blueprints.asked else ()


def show_blocked(blocked: Sequence[Blocked]) -> None:
    """The resources that are left out, and why."""
    for each in blocked:
        complain(f"{each.resource} is not pushed: {each.why}", code="blocked")
        show_problems(each.problems)


def summary(plan: PushPlan) -> Iterator[str]:
    """The table of counts, and the sentence that sums it up."""
    headings, rows = counts(plan.counts, ALWAYS, SOMETIMES)
    if rows:
        yield table(headings, rows)
    yield _sentence(plan)


def _sentence(plan: PushPlan) -> str:
    total = {name: sum(getattr(each, name) for each in plan.counts) for name in ALWAYS}
    said = ", ".join(f"{total[name]:,} to {name}" for name in ALWAYS[:-1])
    where = "what Port has" if plan.against == "port" else "what was pushed"
    return f"Plan: {said}, {total['unchanged']:,} unchanged, against {where}."


def _rows(context: Context, most: int | None) -> tuple[list[Planned], Sequence[Kept]]:
    """What is done, or not for a reason of its own; and what stays, summed up: of a long history
    that is most of it."""
    from lading.port.planned import kept, planned

    with context.database.reading() as connection:
        found = [each for each in planned(connection, most) if each.action != "kept"]
        return found, kept(connection)


def _entities(context: Context, most: int | None) -> Iterator[str]:
    """A line for each entity, and one for each key of it that changes."""
    rows, staying = _rows(context, most)
    names = sorted({each.blueprint for each in rows} | {each[0] for each in staying})
    for name in names:
        yield f"{name}:"
        some = [each for each in rows if each.blueprint == name]
        for action, those in groupby(some, lambda each: each.action):
            shown = list(those)
            for each in shown:
                yield from _entity(each)
            if most is not None and len(shown) == most:
                yield f"    … {action}: at most {most} are shown (--limit)"
        for _, reason, number in (each for each in staying if each[0] == name):
            yield from _wrapped(f"  = {count(number, 'entity', 'entities')} stay: {reason}")
        yield ""


def _entity(each: Planned) -> Iterator[str]:
    said = each.identifier if each.mark != "!" else f"{each.identifier} ({each.action})"
    why = f": {each.reason}" if each.reason else ""
    yield from _wrapped(f"  {each.mark} {said}{why}")
    if each.changes:
        width = max(len(change.path) for change in each.changes)
        for change in each.changes:
            yield f"      {change.path:<{width}}  {_values(change)}"


def _wrapped(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(
        text,
        WIDTH,
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _values(change: PlannedChange) -> str:
    return f"{_short(change.before)} -> {_short(change.after)}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _markdown(context: Context, planned: PlannedPush, most: int | None) -> Iterator[str]:
    from lading.commands import markdown

    plan = planned.plan
    yield f"### Plan for Port ({markdown.escaped(plan.destination)})"
    yield ""
    yield markdown.escaped(_sentence(plan))
    headings, rows = counts(plan.counts, ALWAYS, SOMETIMES)
    if rows:
        yield from ("", markdown.table(headings, rows))
    from lading.commands.blueprint_report import blueprint_markdown

    if about := blueprint_markdown(_known(plan), plan.blueprints.extend):
        yield from ("", *about)
    for each in planned.blocked:
        yield from (
            "",
            f"- **{markdown.escaped(each.resource)}** is not pushed: {markdown.escaped(each.why)}",
        )
    found, staying = _rows(context, most)
    for name, reason, number in staying:
        said = f"{count(number, 'entity', 'entities')} of {name} stay: {reason}"
        yield from ("", f"- {markdown.escaped(said)}")
    if not found:
        return
    yield from ("", "<details><summary>Entity by entity</summary>", "")
    yield markdown.table(
        ["", "blueprint", "identifier", "what changes, or why"],
        [(each.action, each.blueprint, each.identifier, _told(each)) for each in found],
    )
    if most is not None:
        yield from ("", f"At most {most} of each blueprint and action are shown.")
    yield from ("", "</details>")


def _told(each: Planned) -> str:
    changes = [f"{change.path}: {_values(change)}" for change in each.changes]
    return "\n".join([*([each.reason] if each.reason else []), *changes])
