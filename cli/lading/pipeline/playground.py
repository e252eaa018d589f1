"""A mapping tried out: what becomes of each record, and what each expression gives for it.

Nothing is refused here because an expression does not compile: its property fails, as in Port's
own integrations, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from lading.errors import LadingError

if TYPE_CHECKING:
    from lading.mapping.entity import Entity
    from lading.mapping.evaluate import Dropped, Failure, Outcome
    from lading.mapping.files import Resource
    from lading.mapping.outline import Shape
    from lading.mapping.trials import Trial
    from lading.mapping.workers import Workers
    from lading.pipeline.landed_rows import Slice

# People wait: a row that takes longer is told, and the next one is tried.
TIME_LIMIT = 3.0
BATCH_ROWS = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of a row, or of a part of it; `row` is its JSON text."""

    row: str = field(repr=False)
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Gave:
    """What one expression gave: a value, or the reason why there is none."""

    path: str
    expression: str
    value: Any
    why_not: str | None = None


def carried_out(trial: Trial, rows: Iterable[str], workers: Workers) -> Iterator[Shown]:
    """What becomes of each row, in order; rows are read as they are needed.

    Raises:
        MappingError: the resource was given up after some rows that could not be carried out.
    """
    from lading.mapping.evaluate import evaluate

    waiting: dict[int, str] = {}
    for outcome in evaluate(trial.resource, _kept(rows, waiting), workers, BATCH_ROWS):
        for done in [each for each in waiting if each < outcome.position]:
            del waiting[done]
        yield Shown(waiting[outcome.position], outcome)


def _kept(rows: Iterable[str], waiting: dict[int, str]) -> Iterator[str]:
    for position, row in enumerate(rows):
        waiting[position] = row
        yield row


def gave(trial: Trial, value: Mapping[str, Any], failures: Sequence[Failure]) -> tuple[Gave, ...]:
    """What each expression gave for an entity, in the mapping's order."""
    left = list(failures)
    found = []
    for number, each in sorted(_leaves(trial.outline.shape, value)):
        expression = trial.outline.values[number]
        why_not = None
        if each is None:
            mine = next((one for one in left if one.path == expression.path), None)
            if mine is not None:
                left.remove(mine)
                why_not = mine.message
        found.append(Gave(expression.path, expression.text, each, why_not))
    return tuple(found)


def _leaves(shape: Shape | Mapping[str, Shape], value: Any) -> Iterator[tuple[int, Any]]:
    """The numbers of the expressions in a shape, with what stands there in a value."""
    if isinstance(shape, int):
        yield shape, value
    elif isinstance(shape, list):
        for each, part in zip(shape, value, strict=True):
            yield from _leaves(each, part)
    else:
        for key, each in shape.items():
            yield from _leaves(each, value[key])


def gave_for_dropped(
    trial: Trial, row: str, number: int, outcome: Dropped, workers: Workers
) -> tuple[Gave, ...]:
    """What the expressions gave for a part of a row that became no entity: the part that is
    `number` among those that passed the selector, from 0.

    All of them are run once more, for an entity that can't be dropped.
    """
    from lading.mapping.evaluate import Mapped, evaluate
    from lading.mapping.expressions import Expression
    from lading.mapping.program import fuse

    values = trial.outline.values
    sure = Expression("", '"_"', ())
    outline = replace(
        trial.outline,
        values=(*values, sure),
        shape={"identifier": len(values), "blueprint": len(values), "_": [*range(len(values))]},
    )
    resource = replace(trial.resource, program=fuse(outline, trial.broken))
    made = [each for each in evaluate(resource, [row], workers) if isinstance(each, Mapped)]
    if number >= len(made):
        return tuple(
            Gave(each.path, _text_of(trial, each.path), None, each.message)
            for each in outcome.failures
        )
    flat = replace(trial, outline=replace(trial.outline, shape={"_": [*range(len(values))]}))
    return gave(flat, made[number].entity.value(), made[number].failures)


def _text_of(trial: Trial, path: str) -> str:
    return next((each.text for each in trial.outline.values if each.path == path), "")


@dataclass(slots=True)
class Tally:
    """What became of records, added up. `dropped` counts those, and parts of those, that should
    have become entities and did not; `selector_errors` has those that fail their resource."""

    rows: int = 0
    entities: int = 0
    filtered: int = 0
    dropped: int = 0
    selector_errors: list[str] = field(default_factory=list)
    misconfigured: dict[str, None] = field(default_factory=dict)

    def take(self, outcome: Outcome) -> None:
        """Add what became of a record."""
        from lading.mapping import evaluate

        self.rows = max(self.rows, outcome.position + 1)
        match outcome:
            case evaluate.Mapped():
                self.entities += 1
            case evaluate.Filtered():
                self.filtered += 1
            case evaluate.Dropped() | evaluate.Skipped():
                self.dropped += 1
            case evaluate.Faulty(position, message):
                self.selector_errors.append(f"row {position}: {message}")
        if isinstance(outcome, evaluate.Mapped | evaluate.Dropped):
            self.misconfigured |= dict.fromkeys(each.path for each in outcome.failures)

    def take_faults(self, trial: Trial) -> None:
        """Add the expressions that do not compile, if no record has come to them."""
        faults = dict(trial.faults)
        path = trial.outline.selector.path
        fault = faults.pop(path, None)
        if fault is not None and not self.selector_errors:
            self.selector_errors.append(f"{path} does not compile: {fault}")
        self.misconfigured |= dict.fromkeys(faults)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to see: how many records, all without a `limit`; of which entity alone;
    what each expression gave; which fields none of them reads."""

    limit: int | None = None
    explain: str | None = None
    expressions: bool = False
    unmapped: bool = False


class Source(Protocol):
    """Where records come from."""

    def rows(self, resource: Resource) -> Iterator[str]:
        """The records for a resource, each as a JSON text."""

    def behind(self, resource: Resource, row: str) -> Sequence[Slice]:
        """What landed behind one of them."""


@dataclass(slots=True)
class Tried:
    """What came of a resource: `more` if there are records beyond the limit, `unmapped` fields,
    and why it was given up, if it was."""

    trial: Trial
    tally: Tally = field(default_factory=Tally)
    more: bool = False
    unmapped: tuple[str, ...] = ()
    failed: LadingError | None = None
    identifiers: dict[str, None] = field(default_factory=dict)


class Teller(Protocol):
    """Somebody who shows what comes of records as it comes."""

    def begin(self, trial: Trial) -> None:
        """The records of a resource follow."""

    def tell(
        self, trial: Trial, shown: Shown, gives: Sequence[Gave], slices: Sequence[Slice]
    ) -> None:
        """What became of one."""

    def end(self, tried: Tried) -> None:
        """These were all."""


def try_out(trial: Trial, source: Source, workers: Workers, wish: Wish, teller: Teller) -> Tried:
    """Carry a resource out on the records of a source, and tell what comes of them."""
    from lading.mapping.unmapped import Unmapped

    tried = Tried(trial)
    unmapped = Unmapped(trial.outline) if wish.unmapped else None
    parts = _Parts()
    teller.begin(trial)
    try:
        rows = _limited(source.rows(trial.resource), wish.limit, tried)
        for shown in carried_out(trial, rows, workers):
            number = parts.number(shown.outcome)
            if not _is_wanted(shown.outcome, wish.explain, tried):
                continue
            tried.tally.take(shown.outcome)
            if unmapped is not None:
                unmapped.look_at(shown.row)
            gives = _gives(trial, shown, number, workers) if wish.expressions else ()
            slices = source.behind(trial.resource, shown.row) if wish.explain is not None else ()
            teller.tell(trial, shown, gives, slices)
    except LadingError as error:
        tried.failed = error
    if wish.explain is None:
        tried.tally.take_faults(trial)
    tried.unmapped = unmapped.fields if unmapped is not None else ()
    teller.end(tried)
    return tried


def _limited(rows: Iterator[str], limit: int | None, tried: Tried) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number == limit:
            tried.more = True
            return
        yield row


def _is_wanted(outcome: Outcome, identifier: str | None, tried: Tried) -> bool:
    from lading.mapping.evaluate import Mapped

    if identifier is None:
        return True
    if not isinstance(outcome, Mapped):
        return False
    found = exact_json(outcome.entity.identifier)
    named = outcome.entity.identifier if isinstance(outcome.entity.identifier, str) else found
    tried.identifiers[named] = None
    return identifier in {named, found}


class _Parts:
    """Numbers the parts of a row that passed the selector."""

    def __init__(self) -> None:
        self._position = -1
        self._passed = -1

    def number(self, outcome: Outcome) -> int:
        from lading.mapping.evaluate import Dropped, Mapped

        if outcome.position != self._position:
            self._position, self._passed = outcome.position, -1
        self._passed += isinstance(outcome, Mapped | Dropped)
        return self._passed


def _gives(trial: Trial, shown: Shown, number: int, workers: Workers) -> tuple[Gave, ...]:
    from lading.mapping.evaluate import Dropped, Mapped

    match shown.outcome:
        case Mapped(entity=entity, failures=failures):
            return gave(trial, entity.value(), failures)
        case Dropped():
            return gave_for_dropped(trial, shown.row, number, shown.outcome, workers)
    return ()


def exact_json(value: Any) -> str:
    """A value of an entity as JSON, with every digit."""
    import msgspec

    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def entity_json(trial: Trial, entity: Entity) -> str:
    """An entity as JSON, its keys in the mapping's order, nulls included."""
    value = entity.value()
    return exact_json({key: value[key] for key in trial.outline.shape})
