"""What Port shows of a run: its mapping, its state, its counters, its log lines, its raw rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from lading.errors import DatabaseError
from lading.port.metrics import Counts, Resync, Subject, SyncState

if TYPE_CHECKING:
    from lading.extract.run import Extraction
    from lading.pipeline.context import Context, Work
    from lading.pipeline.entities import Mapped
    from lading.pipeline.steps import Blocked
    from lading.port.integration import Integration
    from lading.port.teller import Teller


@contextmanager
def telling_port(work: Work, *, silent: bool = False) -> Iterator[PortView]:
    """Have Port show what goes on inside. What Port does not take is a warning; nothing waits for
    it but the end, and that not for long.

    Nobody is told where Port can't be asked, or if it is to be `silent`.
    """
    from lading.port.integration import Integration
    from lading.port.log_lines import LogLines
    from lading.port.teller import Teller

    view = PortView(work)
    if silent or not _is_configured(work.context):
        yield view
        return
    event_id = str(uuid4())
    lines = LogLines(run_id=work.run.id, event_id=event_id)
    with Integration(work.context.port) as integration:
        teller = Teller(integration, event_id, lines)
        view.begin(teller, integration, event_id)
        status: SyncState = "failed"
        try:
            yield view
            status = "failed" if work.incomplete else "completed"
        except KeyboardInterrupt:
            status = "aborted"
            raise
        finally:
            view.end(status)
            teller.finish(in_haste=status == "aborted")


def _is_configured(context: Context) -> bool:
    connections = context.project.connections_of("port")
    return len(connections) == 1 and not connections[0].problems()


class PortView:
    """What Port is told of one run, step by step. Until it begins, nobody is told."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._context = work.context
        self._teller: Teller | None = None
        self._subjects = _subjects(work.context)
        self._counts: dict[str, Counts] = dict.fromkeys(self._subjects, Counts())
        self._failed: set[str] = set()
        self._settled = False
        self._deleted = 0

    def begin(self, teller: Teller, integration: Integration, event_id: str) -> None:
        """Register the integration with its mapping, and say that a resync is running."""
        from lading.port.shown_mapping import shown_mapping

        self._teller, self._integration = teller, integration
        self._resync = Resync(event_id, integration.identifier)
        self._began, self._started_at = time.monotonic(), _now()
        config = shown_mapping(self._context.project.mappings)
        teller.start()
        teller.tell("integration", partial(self._register, teller, config))
        teller.tell("state", partial(integration.tell_state, "running", self._started_at))
        documents = [
            *(self._of_kind(name, "pending") for name in self._subjects),
            self._resync.of_runtime("syncing", 0.0),
            self._resync.of_reconciliation("pending", 0, 0.0),
        ]
        teller.tell("metrics", partial(integration.send_metrics, documents))

    def _register(self, teller: Teller, config: Mapping[str, object]) -> None:
        if not self._integration.register(config):
            teller.make("mapping", partial(self._integration.show_mapping, config))

    def planned(
        self,
        mapped: Sequence[Mapped],
        blocked: Iterable[Blocked],
        extraction: Extraction | None = None,
    ) -> None:
        """The mappings were run: say what the rows became, and show some of them."""
        if self._teller is None:
            return
        self._failed |= {each.resource for each in blocked}
        not_fetched = _not_fetched(self._context, extraction)
        for name in self._subjects:
            self._counts[name] = Counts(not_fetched=not_fetched[name])
        for each in mapped:
            self._counts[each.resource] = Counts(
                fetched=each.rows,
                not_fetched=not_fetched[each.resource],
                transformed=each.entities,
                filtered=each.filtered,
                not_transformed=each.lost + each.faulty,
            )
            if each.failed or each.faulty:
                self._failed.add(each.resource)
        self._tell_kinds("syncing")
        self._show_examples(self._teller, mapped)

    def _show_examples(self, teller: Teller, mapped: Sequence[Mapped]) -> None:
        from lading.port.examples import presentable
        from lading.port.shown_mapping import wants_examples

        if not wants_examples(self._context.project.mappings):
            return
        by_kind: dict[str, Sequence[str]] = {}
        for each in mapped:
            if each.examples:
                by_kind.setdefault(each.kind, each.examples)
        for kind, rows in by_kind.items():
            if shown := presentable(rows):
                teller.tell("examples", partial(self._integration.show_examples, kind, shown))

    def pushed(self, deleted: int = 0) -> None:
        """The push is over: count what Port holds of each kind; `deleted` entities it no longer
        has."""
        from lading.port.destinations import destination
        from lading.port.loads import Load, loads

        if self._teller is None:
            return
        self._settled, self._deleted = True, deleted
        where, run = destination(self._context.port), self._work.run
        try:
            with self._context.database.reading() as connection:
                found = loads(connection, where, run.id)
        except DatabaseError:
            return  # the run itself says what is wrong with its books
        for name in self._subjects:
            load = found.get(name, Load())
            self._counts[name] = replace(
                self._counts[name],
                loaded=load.loaded,
                unchanged=load.unchanged,
                not_loaded=load.failed,
            )
            if load.failed:
                self._failed.add(name)

    def end(self, status: SyncState) -> None:
        """Say how it ended: each kind by itself if it got so far, and the whole."""
        if self._teller is None:
            return
        self._tell_kinds("completed" if self._settled else status)
        seconds = time.monotonic() - self._began
        settled: SyncState = "completed" if self._settled else status
        self._tell_metrics(self._resync.of_reconciliation(settled, self._deleted, seconds))
        self._tell_metrics(self._resync.of_runtime(status, seconds))
        tell: Callable[..., None] = self._integration.tell_state
        self._teller.tell("state", partial(tell, status, self._started_at, _now()))

    def _tell_kinds(self, state: SyncState) -> None:
        for name in self._subjects:
            self._tell_metrics(self._of_kind(name, "failed" if name in self._failed else state))

    def _of_kind(self, name: str, state: SyncState) -> Mapping[str, object]:
        seconds = time.monotonic() - self._began
        return self._resync.of_kind(self._subjects[name], state, self._counts[name], seconds)

    def _tell_metrics(self, document: Mapping[str, object]) -> None:
        if self._teller is not None:
            self._teller.tell("metrics", partial(self._integration.change_metrics, document))


def _subjects(context: Context) -> dict[str, Subject]:
    """The kinds as Port counts them, by the names of their resources: numbered over all files, as
    in the mapping that Port is shown."""
    written = [
        each
        for document in context.project.mappings
        for each in document.data.get("resources") or ()
    ]
    return {
        resource.name: Subject(
            resource.kind, index, str(each["port"]["entity"]["mappings"]["blueprint"])
        )
        for index, (resource, each) in enumerate(zip(context.resources, written, strict=True))
    }


def _not_fetched(context: Context, extraction: Extraction | None) -> Mapping[str, int]:
    """How many requests that each resource needs came to nothing."""
    outcomes = extraction.outcomes if extraction is not None else ()
    return {
        resource.name: sum(
            len(each.failures)
            for each in outcomes
            if each.extract.stream.name in context.graph.streams(resource.model)
        )
        for resource in context.resources
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
