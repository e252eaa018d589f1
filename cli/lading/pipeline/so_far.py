"""What a run has done until now, for whoever stops it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.extract.run import Extraction
    from lading.pipeline.findings import CheckResult
    from lading.port.tally import PushResult
    from lading.transform.build import NodeResult


@dataclass(slots=True)
class SoFar:
    """What the steps of a run have done: of one that is under way, as far as it has come. What has
    not begun is None; `nodes_left` and `checks_left` are how many are still to come."""

    extraction: Extraction | None = None
    nodes: list[NodeResult] = field(default_factory=list)
    nodes_left: int = 0
    destination: str = ""
    pushed: PushResult | None = None
    checks: list[CheckResult] = field(default_factory=list)
    checks_left: int = 0


class Stopped(KeyboardInterrupt):
    """A Ctrl-C that ended a run, with what had been done."""

    def __init__(self, so_far: SoFar) -> None:
        super().__init__()
        self.so_far = so_far
