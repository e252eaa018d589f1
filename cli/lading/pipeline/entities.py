"""From resource models' rows to the entities that Port should have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from lading import log
from lading.errors import DatabaseError, MappingError
from lading.port.batches import too_large
from lading.secrets import redact

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.mapping.evaluate import Mapped as Made
    from lading.mapping.evaluate import Outcome
    from lading.mapping.files import Resource
    from lading.mapping.fitness import Fitness
    from lading.mapping.workers import Workers
    from lading.pipeline.context import Context, Work
    from lading.pipeline.watching import Watcher
    from lading.port.stage import EntityStage

# Below so many characters no entity is too large, whatever they are.
LEAST_TO_MEASURE = 250_000
# How many rows of a kind of trouble are shown; all are counted.
SHOWN = 3
# How many rows of a resource are kept as examples.
EXAMPLES = 5


@dataclass(slots=True)
class Trouble:
    """Rows that met the same trouble: how many, and the first of them in words."""

    what: str
    is_error: bool = False
    count: int = 0
    rows: list[str] = field(default_factory=list)

    def note(self, position: int, message: str) -> None:
        """One more row."""
        self.count += 1
        if len(self.rows) < SHOWN:
            self.rows.append(f"row {position}: {message}")


@dataclass(slots=True)
class Mapped:
    """What one resource's rows became.

    `failed` says why nothing of the resource is to be pushed; `faulty` counts rows whose
    selector gave neither true nor false, which fails the resource as Port's own engine does,
    while the entities of its other rows are good. `unfit` counts entities that Port would refuse,
    `lost` rows that gave no entity for want of an identifier, a blueprint or a list. `examples` are
    the first rows, as JSON.
    """

    resource: str
    kind: str
    rows: int = 0
    entities: int = 0
    unfit: int = 0
    filtered: int = 0
    faulty: int = 0
    lost: int = 0
    failed: str | None = None
    troubles: dict[str, Trouble] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    def note(self, what: str, position: int, message: str, *, is_error: bool = False) -> None:
        """Take down one row's trouble."""
        self.troubles.setdefault(what, Trouble(what, is_error)).note(position, message)


def map_entities(work: Work, watcher: Watcher, blocked: Iterable[str]) -> tuple[Mapped, ...]:
    """Put what the mappings make of the models into `lading.entities`.

    Resources that are blocked are left out. A resource whose model or mapping fails is told in
    its `Mapped`, and the others go on.
    """
    from lading.port.stage import EntityStage

    context = work.context
    skipped = frozenset(blocked)
    resources = [each for each in context.resources if each.name not in skipped]
    watcher.start("mappings", len(resources), "resources")
    checks = checks_of(work, resources)
    results = []
    with EntityStage() as stage:
        with context.database.reading() as connection:
            for resource in resources:
                check = checks[resource.name]
                result = _map(context, connection, resource, context.jq, stage, check)
                results.append(result)
                watcher.advance("mappings", rows=result.rows)
                _say(result)
        context.jq.rest()
        with context.database.writing() as connection:
            _load(stage, connection, resources)
    work.incomplete |= any(each.failed or each.faulty for each in results)
    return tuple(results)


def checks_of(work: Work, resources: Sequence[Resource]) -> Mapping[str, Fitness]:
    """The check of each resource's entities: by the blueprints in Port, if it can be asked; by
    those of the project where Port has none."""
    from lading.mapping.fitness import Fitness
    from lading.pipeline.port_blueprints import ask_for_blueprints

    context = work.context
    bodies = {str(each.data["identifier"]): each.data for each in context.project.blueprints}
    named = {each.blueprint for each in resources if each.blueprint}
    known = {**bodies, **(ask_for_blueprints(work, named) or {})}
    merge = {
        resource.name: mapping.settings.merge
        for mapping in context.mappings
        for resource in mapping.resources
    }
    return {each.name: Fitness(known.get, merge[each.name]) for each in resources}


def _load(
    stage: EntityStage, connection: DuckDBPyConnection, resources: Sequence[Resource]
) -> None:
    named = {
        choice: [each.name for each in resources if each.on_duplicate == choice]
        for choice in ("first", "last")
    }
    left_out = stage.load(connection, **named)
    if left_out:
        said = f"onDuplicate left out {left_out:,} rows whose identifier other rows have as well"
        log.info("left_out", said, rows=left_out)


def _map(
    context: Context,
    connection: DuckDBPyConnection,
    resource: Resource,
    workers: Workers,
    stage: EntityStage,
    check: Fitness,
) -> Mapped:
    from lading.mapping.evaluate import Mapped as Made
    from lading.mapping.evaluate import evaluate

    result = Mapped(resource.name, resource.kind)
    try:
        rows = context.rows(connection, resource)
        result.examples += islice(rows, EXAMPLES)
        rows = chain(result.examples, rows)
        for outcome in evaluate(resource, rows, workers, check=check):
            result.rows = max(result.rows, outcome.position + 1)
            if isinstance(outcome, Made):
                _take_entity(result, resource, outcome, stage)
            else:
                _note_loss(result, outcome)
    except (DatabaseError, MappingError) as error:
        result.failed = str(error)
    return result


def _note_loss(result: Mapped, outcome: Outcome) -> None:
    from lading.mapping.evaluate import Dropped, Faulty, Filtered, Skipped

    match outcome:
        case Filtered():
            result.filtered += 1
        case Dropped(position, path, message):
            result.lost += 1
            result.note(f"dropped, {path} is empty", position, message)
        case Skipped(position, message):
            result.lost += 1
            result.note("skipped", position, message)
        case Faulty(position, message):
            result.faulty += 1
            result.note("selector", position, message, is_error=True)


def _take_entity(result: Mapped, resource: Resource, made: Made, stage: EntityStage) -> None:
    entity = made.entity
    identifier = _as_text(entity.identifier)
    result.entities += 1
    for failure in made.failures:
        result.note(failure.path, made.position, failure.message)
    faults = _faults(made)
    for path, message in faults:
        said = f"'{identifier}' {message}"
        result.note(f"refused, {path}", made.position, said, is_error=True)
    result.unfit += bool(faults)
    stage.add(
        resource=resource.name,
        kind=resource.kind,
        blueprint=entity.blueprint,
        identifier=identifier,
        position=made.position,
        hash=entity.hash,
        entity=entity.text,
        fault="; ".join(f"{path} {message}" for path, message in faults) or None,
    )


def _faults(made: Made) -> list[tuple[str, str]]:
    """What keeps Port from taking an entity, with the path of each, in words to be shown."""
    faults = [(each.path, redact(each.message)) for each in made.unfit]
    text = made.entity.text
    if len(text) > LEAST_TO_MEASURE and (said := too_large(len(text.encode()))):
        faults.append(("size", said))
    return faults


def _as_text(identifier: Any) -> str:
    return identifier if isinstance(identifier, str) else json.dumps(identifier, default=str)


def _say(result: Mapped) -> None:
    said = f"mapped {result.resource} ({result.kind}): {result.rows:,} rows, "
    said += f"{result.entities:,} entities"
    if result.filtered:
        said += f", {result.filtered:,} filtered"
    log.info("mapped", said, resource=result.resource, rows=result.rows, entities=result.entities)
    if result.failed:
        log.error("mapping_failed", f"{result.resource}: {result.failed}; it is not pushed")
    for trouble in result.troubles.values():
        say = log.error if trouble.is_error else log.warning
        shown: Sequence[str] = trouble.rows
        say(
            "mapping_trouble",
            f"{result.resource}: {trouble.what}: {trouble.count:,} rows; {'; '.join(shown)}",
            resource=result.resource,
            path=trouble.what,
            count=trouble.count,
        )
