"""What a push did, counted while it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lading import log
from lading.errors import ServerError
from lading.port.delivery import Outcome, RefusedEntity
from lading.port.ledger import PlanCounts
from lading.port.outbox import Entry

# A blueprint whose bulks fail one after the other, each after all its tries, is given up.
GIVE_UP_AFTER = 3


@dataclass(frozen=True, slots=True)
class PushCounts:
    """A blueprint's entities by what became of them.

    refused      Port would not take them, or was not asked as it surely would not:
                 `lading.refused` has the reasons
    failed       they did not get there, or it is not known whether they did
    conflicting  several rows give them with different content; they were not sent
    kept         the mappings no longer give them, and they stay in Port
    left_out     the saved plan did not have what was to be done with them
    left         somebody stopped the push before they were sent, or before Port had answered
    """

    blueprint: str
    created: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: int = 0
    failed: int = 0
    conflicting: int = 0
    kept: int = 0
    left_out: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A bulk of so many entities that did not get to Port, and why."""

    blueprint: str
    entities: int
    error: ServerError

    def __str__(self) -> str:
        return f"{self.entities} entities of {self.blueprint} did not get to Port: {self.error}"


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did, by blueprint; and what went wrong, one by one: bulks that did not get to
    Port first, then entities that Port refused."""

    blueprints: tuple[PushCounts, ...]
    failures: tuple[Failure | RefusedEntity, ...]

    @property
    def sent(self) -> int:
        """How many entities Port took."""
        return sum(each.created + each.changed for each in self.blueprints)

    @property
    def deleted(self) -> int:
        """How many entities Port deleted."""
        return sum(each.deleted for each in self.blueprints)

    @property
    def ok(self) -> bool:
        """Whether Port now holds all that it was to be sent."""
        return not any(each.refused or each.failed or each.conflicting for each in self.blueprints)


@dataclass(slots=True)
class Tally:
    """Counts of one push, whose deletions are carried out if it `deletes`. For one thread.

    It deletes no more once something does not get to Port: as it still is there it may relate to
    what is to be deleted, and would be deleted with it.
    """

    plan: Sequence[PlanCounts]
    deletes: bool = True
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    # What is known to be refused before anything is sent is among them from the beginning.
    refusals: list[RefusedEntity] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failed_in_a_row: Counter[str] = field(default_factory=Counter)
    given_up: set[str] = field(default_factory=set)
    stopped: bool = False
    interrupted: bool = False

    @property
    def total(self) -> int:
        """How many entities there are to send or delete."""
        return sum(map(self._to_do, self.plan))

    def _to_do(self, plan: PlanCounts) -> int:
        return plan.to_do if self.deletes else plan.to_send

    def note(self, first: Entry, outcome: Outcome) -> None:
        """Count a bulk, of which `first` is the first entity, and give up what its failure says is
        in vain. What goes twice counts the second time, refused or not."""
        blueprint = first.blueprint
        self.taken.update((entry.blueprint, entry.action) for entry in outcome.accepted)
        if first.action != "bare":
            self.refused[blueprint] += len(outcome.refused)
            self.refusals += outcome.refused
        if self.interrupted and outcome.error is not None:
            return  # it was not sent, or not again: that is left
        if first.action != "delete" and (outcome.failed or (outcome.refused and not first.again)):
            self._keep()
        if outcome.error is None:
            self.failed_in_a_row[blueprint] = 0
            return
        self.failures.append(Failure(blueprint, len(outcome.failed), outcome.error))
        self.failed_in_a_row[blueprint] += 1
        if outcome.ends == "push":
            self._stop(outcome.error)
        elif outcome.ends == "blueprint" or self.failed_in_a_row[blueprint] >= GIVE_UP_AFTER:
            self._give_up(blueprint, outcome.error)

    def _keep(self) -> None:
        if self.deletes and any(each.delete for each in self.plan):
            log.warning("deletes_nothing", "nothing is deleted: not everything got to Port")
        self.deletes = False

    def _stop(self, error: ServerError) -> None:
        if not self.stopped:
            log.warning("push_stopped", f"nothing more is sent: {error.message}")
        self.stopped = True

    def _give_up(self, blueprint: str, error: ServerError) -> None:
        if blueprint not in self.given_up:
            message = f"no more entities of {blueprint} are sent: {error.message}"
            log.warning("blueprint_given_up", message, blueprint=blueprint)
        self.given_up.add(blueprint)

    def result(self) -> PushResult:
        counts = tuple(self._counts(each) for each in self.plan)
        return PushResult(counts, (*self.failures, *self.refusals))

    def _counts(self, plan: PlanCounts) -> PushCounts:
        created, changed, deleted = (
            self.taken[plan.blueprint, action] for action in ("create", "change", "delete")
        )
        refused = self.refused[plan.blueprint]
        rest = self._to_do(plan) - created - changed - deleted - refused
        failed = sum(each.entities for each in self.failures if each.blueprint == plan.blueprint)
        left = max(0, rest - failed) if self.interrupted else 0
        return PushCounts(
            blueprint=plan.blueprint,
            created=created,
            changed=changed,
            deleted=deleted,
            unchanged=plan.unchanged,
            refused=refused + plan.refused,
            failed=rest - left,
            conflicting=plan.conflicting,
            kept=plan.kept + (0 if self.deletes else plan.delete),
            left_out=plan.left_out,
            left=left,
        )
