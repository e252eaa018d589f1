"""Doing what the plan says, several requests at once, and keeping the books of it.

The database is open before and after, never while Port is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from lading import log
from lading.port.batches import LARGEST_BULK, LARGEST_DELETION, cut
from lading.port.delivery import Delivery, Outcome, RefusedEntity
from lading.port.journal import Journal, outbox_path, recover
from lading.port.ledger import (
    forget_refusals,
    not_sent,
    plan_counts,
    record_unfit,
    settled_refusals,
)
from lading.port.outbox import Entry, write_outbox
from lading.port.tally import PushResult, Tally
from lading.waiting import Interruptions
from lading.warehouse.runs import naive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lading.port.client import PortClient, UpsertSettings
    from lading.port.order import Place
    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run

OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Way:
    """How a plan is carried out.

    Attributes:
        settings: how each resource's entities are written.
        resources: those whose entities the plan has.
        places: when the entities of each blueprint are written.
        deletes: whether the plan's deletions are carried out.
    """

    settings: Mapping[str, UpsertSettings]
    resources: Sequence[str]
    places: Mapping[str, Place] = field(default_factory=dict)
    deletes: bool = True

    @property
    def careful(self) -> frozenset[str]:
        """The resources whose entities need what they relate to to be there."""
        return frozenset(
            name for name, each in self.settings.items() if not each.create_missing_related_entities
        )


def push(
    database: Database,
    run: Run,
    client: PortClient,
    way: Way,
    on_progress: OnProgress = lambda entities: None,
    on_stop: Callable[[PushResult], None] = lambda result: None,
) -> PushResult:
    """Do what `lading.planned` says: create, change, delete.

    on_progress  called with how many entities more are done
    on_stop      gets what was done when a Ctrl-C ends it, once the requests under way are answered

    What Port refuses and what fails is in the result, also when wrong credentials end it early.
    The caller is the only run on this database (`only_run`), and has drawn up the plan.

    Raises:
        DatabaseError: the books can't be kept; what Port took until then is on record.
    """
    outbox = outbox_path(database.spool, run)
    tally = _prepare(database, run, client.destination, way, outbox)
    if tally.total:
        try:
            with Journal(database.spool, run, client.destination) as journal:
                delivery = Delivery(client, journal, way.settings)
                _deliver_all(delivery, _bulks(outbox, delivery), tally, on_progress)
        except KeyboardInterrupt:
            on_stop(tally.result())
            raise
        finally:
            recover(database)
    return tally.result()


def _prepare(database: Database, run: Run, destination: str, way: Way, outbox: Path) -> Tally:
    """Write the outbox; note what is not sent, and forget refusals that no longer matter."""
    with database.writing() as connection:
        tally = Tally(plan_counts(connection), way.deletes)
        tally.refusals += [
            RefusedEntity(
                each.blueprint,
                each.identifier,
                each.resource,
                each.status,
                each.error,
                each.message,
            )
            for each in not_sent(connection, destination)
        ]
        settled = settled_refusals(connection, destination, way.resources)
        forget_refusals(connection, destination, settled)
        record_unfit(connection, destination, naive(run.started_at), run.id)
        if tally.total:
            outbox.parent.mkdir(parents=True, exist_ok=True)
            write_outbox(connection, outbox, way.places, way.careful, deletes=way.deletes)
    return tally


def _bulks(outbox: Path, delivery: Delivery) -> Iterator[tuple[Entry, ...]]:
    with outbox.open("rb") as lines:
        entries = (Entry.read(line) for line in lines)
        for action, some in groupby(entries, lambda each: each.action == "delete"):
            most = LARGEST_DELETION if action else LARGEST_BULK
            yield from cut(
                some,
                lambda each: (*each.place, delivery.settings_of(each)),
                most,
            )


def _deliver_all(
    delivery: Delivery,
    bulks: Iterator[tuple[Entry, ...]],
    tally: Tally,
    on_progress: OnProgress,
) -> None:
    under_way: dict[Future[Outcome], Entry] = {}

    def collect() -> None:
        for future in interruptions.first_of(under_way):
            outcome = future.result()
            tally.note(under_way.pop(future), outcome)
            on_progress(outcome.entities)

    def is_to_wait(bulk: tuple[Entry, ...]) -> bool:
        """Whether all are busy, or what comes before it is not there yet."""
        last = next(iter(under_way.values()), bulk[0])
        return len(under_way) == most or last.step < bulk[0].step

    most = delivery.client.concurrency
    threads = ThreadPoolExecutor(max_workers=most, thread_name_prefix="port")
    with Interruptions() as interruptions, threads as pool:
        try:
            for bulk in bulks:
                while under_way and is_to_wait(bulk):
                    collect()
                if tally.stopped or (bulk[0].action == "delete" and not tally.deletes):
                    break
                if bulk[0].blueprint not in tally.given_up:
                    under_way[pool.submit(delivery.deliver, bulk)] = bulk[0]
            while under_way:
                collect()
        except KeyboardInterrupt:
            tally.interrupted = True
            delivery.client.give_up()
            try:
                log.warning(
                    "interrupted", "finishing the requests under way (again: not even those)"
                )
                interruptions.all_of(under_way)
                while under_way:
                    collect()
            except KeyboardInterrupt:
                delivery.client.break_off()
            raise
