"""One bulk: sent, and what became of each entity in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lading.errors import (
    NotFoundError,
    RefusedError,
    RetriableError,
    ServerError,
    UnauthorizedError,
)
from lading.port.answers import BulkAnswer
from lading.port.batches import is_too_large, too_large
from lading.port.journal import RefusedLine
from lading.port.outbox import Entry
from lading.secrets import redact

if TYPE_CHECKING:
    from lading.port.client import PortClient, UpsertSettings
    from lading.port.journal import Journal

# Refusals of a whole request that one entity in it may be the reason for.
SPLIT_ON = frozenset((400, 404, 409, 413, 422))


@dataclass(frozen=True, slots=True)
class RefusedEntity:
    """An entity that Port did not take, and why."""

    blueprint: str
    identifier: str
    resource: str
    status: int | None
    error: str
    message: str

    def __str__(self) -> str:
        return f"{self.blueprint} '{self.identifier}' ({self.resource}): {self.message}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a bulk's entities, and how far `error` reaches: these entities, all of
    their blueprint, or all that is to be sent."""

    accepted: tuple[Entry, ...] = ()
    refused: tuple[RefusedEntity, ...] = ()
    failed: tuple[Entry, ...] = ()
    error: ServerError | None = None
    ends: Literal["bulk", "blueprint", "push"] = "bulk"

    @property
    def entities(self) -> int:
        """How many it tells of."""
        return len(self.accepted) + len(self.refused) + len(self.failed)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.failed + other.failed,
            self.error or other.error,
            self.ends if self.ends != "bulk" else other.ends,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends bulks and keeps the journal; safe to use from several threads."""

    client: PortClient
    journal: Journal
    settings: Mapping[str, UpsertSettings]

    def settings_of(self, entry: Entry) -> UpsertSettings:
        """How its resource wants it written. What no resource gives any more goes alone."""
        from lading.port.client import UpsertSettings

        return self.settings.get(entry.resource) or UpsertSettings(delete_dependents=False)

    def deliver(self, bulk: Sequence[Entry]) -> Outcome:
        """Send entities of one blueprint with the same settings.

        A bulk that is refused as a whole is halved until the entity that is the reason stands
        alone, so that the others get through.
        """
        if bulk[0].action == "delete":
            return self._delete(bulk)
        if is_too_large(bulk):
            return self._too_large(bulk[0])
        ordinals = [entry.ordinal for entry in bulk]
        attempt = self.journal.sending(ordinals)
        try:
            answer = self.client.upsert(
                bulk[0].blueprint,
                [entry.entity for entry in bulk],
                self.settings_of(bulk[0]),
            )
        except RetriableError as error:
            # A try may have got through whose answer did not: no line in the journal.
            return Outcome(failed=tuple(bulk), error=error)
        except RefusedError as error:
            return self._all_refused(bulk, attempt, error)
        return self._answered(bulk, attempt, answer)

    def _delete(self, bulk: Sequence[Entry]) -> Outcome:
        """Delete entities of one blueprint. What is there no more is as good as deleted."""
        blueprint = bulk[0].blueprint
        attempt = self.journal.sending([entry.ordinal for entry in bulk])
        try:
            answer = self.client.delete(
                blueprint,
                [entry.identifier for entry in bulk],
                dependents=self.settings_of(bulk[0]).delete_dependents,
            )
        except RetriableError as error:
            return Outcome(failed=tuple(bulk), error=error)
        except RefusedError as error:
            if not (isinstance(error, NotFoundError) and self._has_none_of(bulk)):
                return self._all_refused(bulk, attempt, error)
            answer = BulkAnswer(tuple(range(len(bulk))), ())
        return self._answered(bulk, attempt, answer)

    def _has_none_of(self, bulk: Sequence[Entry]) -> bool:
        """What a 404 to a deletion means: of several, one may be the reason."""
        return len(bulk) == 1 or self._is_gone(bulk[0].blueprint)

    def _answered(self, bulk: Sequence[Entry], attempt: int, answer: BulkAnswer) -> Outcome:
        uncertain = {each.index for each in answer.refusals if not each.certain}
        refused = tuple(
            RefusedEntity(
                bulk[each.index].blueprint,
                bulk[each.index].identifier,
                bulk[each.index].resource,
                each.status,
                each.error,
                each.message,
            )
            for each in answer.refusals
        )
        ordinals = [bulk[each.index].ordinal for each in answer.refusals]
        self.journal.answered(
            attempt,
            [entry.ordinal for index, entry in enumerate(bulk) if index not in uncertain],
            accepted=[bulk[index].ordinal for index in answer.accepted],
            refused=list(map(_line, ordinals, refused)),
        )
        return Outcome(accepted=tuple(bulk[index] for index in answer.accepted), refused=refused)

    def _all_refused(self, bulk: Sequence[Entry], attempt: int, error: RefusedError) -> Outcome:
        ends = self._reach(bulk[0].blueprint, error)
        if ends == "bulk" and len(bulk) == 1:
            return self._refused(
                bulk[0], attempt, error.status, "refused", error.message, certain=error.certain
            )
        self.journal.answered(attempt, [entry.ordinal for entry in bulk if error.certain])
        if ends != "bulk":
            return Outcome(failed=tuple(bulk), error=error, ends=ends)
        middle = len(bulk) // 2
        first = self.deliver(bulk[:middle])
        if first.ends != "bulk":
            return first + Outcome(failed=tuple(bulk[middle:]))
        return first + self.deliver(bulk[middle:])

    def _reach(self, blueprint: str, error: RefusedError) -> Literal["bulk", "blueprint", "push"]:
        if isinstance(error, UnauthorizedError):
            return "push"
        if error.status not in SPLIT_ON:
            return "blueprint"
        if isinstance(error, NotFoundError) and self._is_gone(blueprint):
            return "blueprint"
        return "bulk"

    def _is_gone(self, blueprint: str) -> bool:
        try:
            return self.client.blueprint(blueprint) is None
        except ServerError:
            return False

    def _too_large(self, entry: Entry) -> Outcome:
        attempt = self.journal.sending([])
        return self._refused(entry, attempt, None, "too_large", too_large(entry.size) or "")

    def _refused(
        self,
        entry: Entry,
        attempt: int,
        status: int | None,
        error: str,
        message: str,
        *,
        certain: bool = True,
    ) -> Outcome:
        refused = RefusedEntity(
            entry.blueprint, entry.identifier, entry.resource, status, error, redact(message)
        )
        line = _line(entry.ordinal, refused)
        self.journal.answered(attempt, [entry.ordinal] if certain else [], refused=[line])
        return Outcome(refused=(refused,))


def _line(ordinal: int, refused: RefusedEntity) -> RefusedLine:
    return RefusedLine(ordinal, refused.status, refused.error, refused.message)
