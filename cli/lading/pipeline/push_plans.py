"""What a person wants of a plan, and what the plan is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from lading.port.removals import is_too_much

if TYPE_CHECKING:
    from lading.pipeline.port_blueprints import PortBlueprints
    from lading.port.ledger import Duplicate, PlanCounts
    from lading.port.order import Place

Against = Literal["pushed", "port"]


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan that was saved: what it would do, as (action, blueprint, identifier, hash)."""

    file: str
    destination: str
    project: str
    created_at: datetime
    doing: frozenset[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far what is to be done now may be from a saved plan: `drift` in percent of what it
    would do, `age` since it was made."""

    drift: float = 0.0
    age: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants of a plan.

    Attributes:
        against: what to compare with: what was pushed by the books, or what Port has.
        prune: delete what no mapping gives any more, too.
        retry: try all that Port refused again.
        apply_blueprints: add to Port's blueprints what those of the project have more.
        saved: do just what this one says, if it is still what there is to do.
        tolerance: how far from it that may be.
    """

    against: Against = "pushed"
    prune: bool = False
    retry: bool = False
    apply_blueprints: bool = False
    saved: Saved | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)


PLAIN = Wish()


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would do: counts for each blueprint, and identifiers that contradict
    themselves.

    Attributes:
        resources: those whose entities count.
        owned: how many entities Port holds of ours.
        threshold: the part of them that may be deleted (0 to 1).
        places: when the entities of each blueprint are written.
    """

    destination: str
    resources: tuple[str, ...]
    blueprints: PortBlueprints
    counts: tuple[PlanCounts, ...]
    duplicates: tuple[Duplicate, ...]
    against: Against = "pushed"
    owned: int = 0
    threshold: float = 1.0
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def deletes(self) -> int:
        return sum(each.delete for each in self.counts)

    @property
    def deletes_too_much(self) -> bool:
        """Whether it has more deletions than the mappings allow: none is carried out then."""
        return is_too_much(self.deletes, self.owned, self.threshold)

    @property
    def to_do(self) -> int:
        """How many entities and blueprints would be made, changed or deleted."""
        return sum(each.to_do for each in self.counts) + self.blueprints.to_do


def too_much(planned: PushPlan) -> str:
    """Why no deletion is carried out."""
    part = planned.deletes / planned.owned if planned.owned else 1.0
    return (
        f"{planned.deletes:,} of the {planned.owned:,} entities that Port holds ({part:.0%}) would "
        f"be deleted, more than entityDeletionThreshold allows ({planned.threshold:.0%}): none is; "
        "look at `lading plan`, and raise it in the mapping file if they are to go"
    )
