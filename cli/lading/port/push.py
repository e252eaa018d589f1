"""Sending what is to be sent, several bulks at once, and keeping the books of it.

The database is open before and after, never while Port is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from lading import log
from lading.port.batches import cut
from lading.port.delivery import Delivery, Entry, Outcome, RefusedEntity
from lading.port.journal import Journal, outbox_path, recover
from lading.port.ledger import (
    forget_refusals,
    plan_counts,
    record_unfit,
    settled_refusals,
    unfit_entities,
    write_outbox,
)
from lading.port.tally import PushResult, Tally
from lading.waiting import Interruptions
from lading.warehouse.runs import naive

if TYPE_CHECKING:
    from lading.port.client import PortClient, UpsertSettings
    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run

OnProgress = Callable[[int], None]


def push(
    database: Database,
    run: Run,
    client: PortClient,
    settings_by_resource: Mapping[str, UpsertSettings],
    resources: Sequence[str],
    on_progress: OnProgress = lambda entities: None,
) -> PushResult:
    """Send the entities of `resources` that are new or changed since they were last taken.

    settings_by_resource  how each resource's entities are written
    on_progress           called with how many entities more are done

    What Port refuses and what fails is in the result, also when wrong credentials end it early.
    The caller is the only run on this database (`only_run`), and has made its tables.

    Raises:
        DatabaseError: the books can't be kept; what Port took until then is on record.
    """
    recover(database)
    outbox = outbox_path(database.spool, run)
    tally = _plan(database, run, client.destination, resources, outbox)
    if tally.total:
        try:
            with Journal(database.spool, run, client.destination) as journal:
                delivery = Delivery(client, journal, settings_by_resource)
                _deliver_all(delivery, _bulks(outbox, settings_by_resource), tally, on_progress)
        finally:
            recover(database)
    return tally.result()


def _plan(
    database: Database, run: Run, destination: str, resources: Sequence[str], outbox: Path
) -> Tally:
    """Write the outbox; note what is not sent, and forget refusals that no longer matter."""
    with database.reading() as connection:
        tally = Tally(plan_counts(connection, destination, resources))
        unfit = unfit_entities(connection, destination, resources)
        settled = settled_refusals(connection, destination, resources)
        if tally.total:
            outbox.parent.mkdir(parents=True, exist_ok=True)
            write_outbox(connection, destination, resources, outbox)
    tally.refusals += [
        RefusedEntity(
            each.blueprint, each.identifier, each.resource, None, each.error, each.message
        )
        for each in unfit
    ]
    if settled or unfit:
        with database.writing() as connection:
            forget_refusals(connection, destination, settled)
            record_unfit(connection, destination, resources, naive(run.started_at), run.id)
    return tally


def _bulks(
    outbox: Path, settings_by_resource: Mapping[str, UpsertSettings]
) -> Iterator[tuple[Entry, ...]]:
    with outbox.open("rb") as lines:
        entries = (Entry.read(line) for line in lines)
        yield from cut(entries, lambda each: (each.blueprint, settings_by_resource[each.resource]))


def _deliver_all(
    delivery: Delivery,
    bulks: Iterator[tuple[Entry, ...]],
    tally: Tally,
    on_progress: OnProgress,
) -> None:
    under_way: dict[Future[Outcome], str] = {}

    def collect() -> None:
        for future in interruptions.first_of(under_way):
            outcome = future.result()
            tally.note(under_way.pop(future), outcome)
            on_progress(outcome.entities)

    most = delivery.client.concurrency
    threads = ThreadPoolExecutor(max_workers=most, thread_name_prefix="port")
    with Interruptions() as interruptions, threads as pool:
        try:
            for bulk in bulks:
                if len(under_way) == most:
                    collect()
                if tally.stopped:
                    break
                if bulk[0].blueprint not in tally.given_up:
                    under_way[pool.submit(delivery.deliver, bulk)] = bulk[0].blueprint
            while under_way:
                collect()
        except KeyboardInterrupt:
            delivery.client.give_up()
            try:
                log.warning(
                    "interrupted", "finishing the requests under way (again: not even those)"
                )
                interruptions.all_of(under_way)
            except KeyboardInterrupt:
                delivery.client.break_off()
            raise
