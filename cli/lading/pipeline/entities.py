"""From resource models' rows to the entities that Port should have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lading import log
from lading.errors import DatabaseError, MappingError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.mapping.evaluate import Outcome
    from lading.mapping.files import Resource
    from lading.mapping.workers import Workers
    from lading.pipeline.context import Context, Watcher, Work
    from lading.port.stage import EntityStage

# How many rows of a kind of trouble are shown; all are counted.
SHOWN = 3


@dataclass(slots=True)
class Trouble:
    """Rows that met the same trouble: how many, and the first of them in words."""

    what: str
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
    while the entities of its other rows are good.
    """

    resource: str
    kind: str
    rows: int = 0
    entities: int = 0
    filtered: int = 0
    faulty: int = 0
    failed: str | None = None
    troubles: dict[str, Trouble] = field(default_factory=dict)

    def note(self, what: str, position: int, message: str) -> None:
        """Take down one row's trouble."""
        self.troubles.setdefault(what, Trouble(what)).note(position, message)


def map_entities(work: Work, watcher: Watcher, blocked: Iterable[str]) -> tuple[Mapped, ...]:
    """Put what the mappings make of the models into `lading.entities`.

    Resources that are blocked are left out. A resource whose model or mapping fails is told in
    its `Mapped`, and the others go on.
    """
    from lading.mapping.workers import Workers
    from lading.port.stage import EntityStage

    context = work.context
    skipped = frozenset(blocked)
    resources = [each for each in context.resources if each.name not in skipped]
    watcher.start("mappings", len(resources))
    results = []
    with Workers(context.project.target.threads) as workers, EntityStage() as stage:
        with context.database.reading() as connection:
            for resource in resources:
                result = _map(context, connection, resource, workers, stage)
                results.append(result)
                watcher.advance("mappings")
                _say(result)
        with context.database.writing() as connection:
            stage.load(connection)
    work.incomplete |= any(each.failed or each.faulty for each in results)
    return tuple(results)


def _map(
    context: Context,
    connection: DuckDBPyConnection,
    resource: Resource,
    workers: Workers,
    stage: EntityStage,
) -> Mapped:
    from lading.mapping.evaluate import evaluate
    from lading.transform.resources import resource_rows

    result = Mapped(resource.name, resource.kind)
    try:
        batches = resource_rows(
            context.graph,
            context.project,
            connection,
            resource.model,
            resource.selector,
            context.now,
        )
        texts = (text for batch in batches for text in batch)
        for outcome in evaluate(resource, texts, workers):
            _take(result, resource, outcome, stage)
    except (DatabaseError, MappingError) as error:
        result.failed = str(error)
    return result


def _take(result: Mapped, resource: Resource, outcome: Outcome, stage: EntityStage) -> None:
    from lading.mapping.evaluate import Dropped, Faulty, Filtered, Skipped
    from lading.mapping.evaluate import Mapped as Made

    result.rows = max(result.rows, outcome.position + 1)
    match outcome:
        case Made(position, entity, failures):
            result.entities += 1
            for failure in failures:
                result.note(failure.path, position, failure.message)
            stage.add(
                resource=resource.name,
                kind=resource.kind,
                blueprint=entity.blueprint,
                identifier=_as_text(entity.identifier),
                position=position,
                hash=entity.hash,
                entity=entity.text,
            )
        case Filtered():
            result.filtered += 1
        case Dropped(position, path, message):
            result.note(f"dropped, {path} is empty", position, message)
        case Skipped(position, message):
            result.note("skipped", position, message)
        case Faulty(position, message):
            result.faulty += 1
            result.note("selector", position, message)


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
        say = log.error if trouble.what == "selector" else log.warning
        shown: Sequence[str] = trouble.rows
        say(
            "mapping_trouble",
            f"{result.resource}: {trouble.what}: {trouble.count:,} rows; {'; '.join(shown)}",
            resource=result.resource,
            path=trouble.what,
            count=trouble.count,
        )
