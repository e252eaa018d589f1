"""From the rows of a resource to entities, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import MappingError
from lading.mapping.entity import (
    Entity,
    fill_entity,
    is_number,
    json_text,
    make_entity,
    read_values,
)
from lading.mapping.program import Program
from lading.mapping.workers import GUILTY_ROWS, Guilty, Workers

if TYPE_CHECKING:
    from lading.mapping.files import Resource

BATCH_ROWS = 500
BATCH_CHARACTERS = 4_000_000
LONGEST_MESSAGE = 300
NOTHING = "gave null or nothing"


@dataclass(frozen=True, slots=True)
class Failure:
    """An expression that gave no value: its path (`properties.amount`), and why."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """An entity, with null for what failed. `position` is the row's number, from 0. What is in
    `unfit` keeps Port from taking it."""

    position: int
    entity: Entity
    failures: tuple[Failure, ...] = ()
    unfit: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Filtered:
    """The selector gave false."""

    position: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """No entity, because its identifier or blueprint (`path`) is empty."""

    position: int
    path: str
    message: str
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """`itemsToParse` gave no list, or left nothing of the record."""

    position: int
    message: str


@dataclass(frozen=True, slots=True)
class Faulty:
    """An error of the whole resource at this row: the selector gave neither true nor false, or
    the row could not be carried out at all. Nothing may be deleted after one."""

    position: int
    message: str


Outcome = Mapped | Filtered | Dropped | Skipped | Faulty
# Of a blueprint and an entity's body: what keeps Port from taking it (`fitness`).
Check = Callable[[str, Mapping[str, Any]], tuple[Failure, ...]]


def evaluate(
    resource: Resource,
    rows: Iterable[str],
    workers: Workers,
    batch_rows: int = BATCH_ROWS,
    check: Check | None = None,
) -> Iterator[Outcome]:
    """What becomes of each row, in order; `rows` are JSON texts of one value each.

    Rows are read as they are needed and not kept. A row that `itemsToParse` splits has an outcome
    for each part, and none if the list is empty. Without a `check` no entity is unfit.

    Raises:
        MappingError: three rows could not be carried out (time, memory), each of which was
            given as Faulty; or no process for JQ could be started.
    """
    guilty: list[tuple[int, str]] = []
    answers = workers.run(resource.program.text, _batches(rows, batch_rows))
    for position, answer in enumerate(answers):
        if isinstance(answer, Guilty):
            guilty.append((position, answer.reason))
            yield Faulty(position, f"the row {_short(answer.reason)}")
        else:
            yield from outcomes(resource.program, position, answer, check)
    if len(guilty) == GUILTY_ROWS:
        raise _given_up(resource, guilty)


def outcomes(
    program: Program, position: int, answer: str, check: Check | None = None
) -> Iterator[Outcome]:
    """The program's answer for one row, read."""
    for line in answer.split("\n"):
        if line:
            try:
                yield _outcome(program, position, line, check)
            except ValueError as error:
                yield Faulty(position, f"gave what can't be written as JSON: {_short(str(error))}")


def _outcome(program: Program, position: int, line: str, check: Check | None) -> Outcome:
    mark = line[0]
    if mark == "[":
        return _entity(program, position, check, read_values(line), {})
    if mark == "{":
        return _entity(program, position, check, *_guarded(read_values(line)["guarded"]))
    if mark == "-":
        return Filtered(position)
    said = _short(read_values(line[1:]))
    return Faulty(position, f"selector.query {said}") if mark == "!" else Skipped(position, said)


def _guarded(found: list[Any]) -> tuple[list[Any], dict[int, str]]:
    """Values, and the errors by the number of their expression."""
    errors = {number: each for number, each in enumerate(found) if isinstance(each, str)}
    return [each[0] if isinstance(each, list) and each else None for each in found], errors


def _entity(
    program: Program,
    position: int,
    check: Check | None,
    values: list[Any],
    errors: dict[int, str],
) -> Mapped | Dropped:
    body = fill_entity(program.shape, values)
    failures: tuple[Failure, ...] = ()
    if None in values:
        failures = tuple(
            Failure(program.paths[number], _short(errors.get(number, NOTHING)))
            for number, value in enumerate(values)
            if value is None
        )
    if "icon" in body or "team" in body:
        failures += _as_texts(body)
    blueprint = body.pop("blueprint")
    for path, value in (("identifier", body["identifier"]), ("blueprint", blueprint)):
        if not value:
            return Dropped(position, path, _why_empty(path, value, failures), failures)
    if not isinstance(blueprint, str):
        return Dropped(position, "blueprint", "gave no text", failures)
    unfit = check(blueprint, body) if check else ()
    return Mapped(position, make_entity(blueprint, body), failures, unfit)


def _as_texts(body: dict[str, Any]) -> tuple[Failure, ...]:
    """Makes text of numbers and truth values in icon and team, as Port's integrations do.

    An icon that is a list or an object is nothing Port could take: it counts as failed.
    """
    for key in ("icon", "team"):
        value = body.get(key)
        if isinstance(value, bool):
            body[key] = str(value)
        elif is_number(value):
            body[key] = json_text(value)
    if isinstance(body.get("icon"), list | dict):
        body["icon"] = None
        return (Failure("icon", "gave no text"),)
    return ()


def _why_empty(path: str, value: Any, failures: Sequence[Failure]) -> str:
    found = [failure.message for failure in failures if failure.path == path]
    return found[0] if found else f"gave {_JSON_NAMES.get(repr(value), repr(value))}"


_JSON_NAMES = {"False": "false", "''": '""'}


def _batches(rows: Iterable[str], most: int) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += len(row)
        if len(batch) >= most or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _given_up(resource: Resource, guilty: Sequence[tuple[int, str]]) -> MappingError:
    rows = ", ".join(str(position) for position, _ in guilty)
    return MappingError(
        f"resource '{resource.name}' is given up: the row {_short(guilty[-1][1])}"
        f" (rows {rows}, counted from 0)",
        place=resource.place,
        hint="look for an expression that never ends or gives very much (repeat, range, recurse)",
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
