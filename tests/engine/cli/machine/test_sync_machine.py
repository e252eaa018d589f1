"""Whatever happens on the way, Port ends up with what the rows and the mapping say.

A state machine mixes changes of rows and of the mapping, what people do in Port, faults, kills and
a lost database with plans and pushes; each is compared with our own reckoning. The histories are
the same each time; a longer run takes others:
`LADING_MACHINE_EXAMPLES=200 LADING_MACHINE_STEPS=10 pytest tests/engine/cli/machine`.
"""

from __future__ import annotations

import os
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.engine.cli.machine.changes import AMOUNTS, CHANGES, Change, People
from tests.engine.cli.machine.keeper import Keeper
from tests.engine.cli.machine.reckoning import Expected, Wish
from tests.engine.cli.machine.shop import Row

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.conftest import Done

CHOSEN = os.environ.get("LADING_MACHINE_EXAMPLES")
EXAMPLES = int(CHOSEN or 4)
STEPS = int(os.environ.get("LADING_MACHINE_STEPS", "4"))
PATIENCE = 60.0

WISHES = st.builds(Wish, st.booleans(), st.booleans(), st.booleans())
FAULTS = st.lists(
    st.builds(
        Fault,
        kind=st.sampled_from(
            ["429", "500", "reset", "truncated", "207", "unanswered", "expired", "401", "400"]
        ),
        path=st.sampled_from(["/bulk", "/entities/bulk", "/delete", "/search", "/blueprints", ""]),
        times=st.sampled_from([1, 2, None]),
        after=st.integers(0, 4),
        every=st.integers(1, 3),
    ),
    min_size=1,
    max_size=2,
)


class SyncMachine(RuleBasedStateMachine):
    """The project, Port, and what we reckon of both."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper = Keeper()
        self.port, self.shop, self.ours = self.keeper.port, self.keeper.shop, self.keeper.ours
        self.desk, self.folder = self.keeper.desk, self.keeper.folder
        self.people = People(self.keeper)
        self.kills = 0

    @initialize()
    def begins(self) -> None:
        self.pushes([], Wish())

    @rule(changes=CHANGES, wish=WISHES)
    def pushes(self, changes: list[Change], wish: Wish) -> None:
        self.people.do(changes)
        expected = self.keeper.expected(wish)
        done = self.keeper.carried_out(expected, "push", *wish.arguments())
        self.check_code(done, expected)

    def check_code(self, done: Done, expected: Expected) -> None:
        conflicting = self.shop.conflicting()
        refused = expected.back or self.ours.refused
        bad = expected.too_much or refused or conflicting or self.shop.failing
        if not expected.may and not expected.unsure:
            assert done.code == bool(bad), done.err

    @rule(changes=CHANGES, wish=WISHES)
    def syncs(self, changes: list[Change], wish: Wish) -> None:
        """All of the report is fetched anew, closed days too."""
        self.people.do(changes)
        self.shop.fetch(self.keeper.anthropic.organisation, self.desk.now)
        expected = self.keeper.expected(wish)
        done = self.keeper.carried_out(expected, "sync", "--recheck", "35d", *wish.arguments())
        self.check_code(done, expected)

    @rule(changes=CHANGES, wish=WISHES)
    def syncs_while_the_report_fails(self, changes: list[Change], wish: Wish) -> None:
        """What comes from it stays as it is until it is fetched; everything else goes on."""
        self.people.do(changes)
        self.keeper.anthropic.faults.add(Fault("500", path="/usage_report", times=None))
        self.shop.days, self.shop.failing = None, True
        expected = self.keeper.expected(wish)
        done = self.keeper.carried_out(expected, "sync", "--recheck", "35d", *wish.arguments())
        self.keeper.anthropic.faults.clear()
        assert done.code == 1, done.err

    @rule(changes=CHANGES, wish=WISHES)
    def plans_and_pushes(self, changes: list[Change], wish: Wish) -> None:
        self.people.do(changes)
        planned = self.keeper.plans(wish)
        expected = self.keeper.expected(wish)
        requests = len(self.port.requests)
        self.keeper.carried_out(expected, "push", *wish.arguments())
        asked = self.port.requests[requests:]
        doing = {a: {k for k, b in planned.items() if b == a} for a in set(planned.values())}
        sends = doing.get("create", set()) | doing.get("change", set())
        assert set(self.keeper.sent(asked)) == sends
        assert set(self.keeper.deleted(asked)) in (doing.get("delete", set()), set())

    @rule(changes=CHANGES, wish=WISHES, drift=st.booleans(), amount=AMOUNTS)
    def pushes_a_saved_plan(
        self, changes: list[Change], wish: Wish, drift: bool, amount: Decimal
    ) -> None:
        self.people.do(changes)
        file = self.folder / "plan.json"
        before = self.keeper.plans(wish, "--out", str(file))
        values = {key: each for key, (_, each) in self.shop.wanted().items()}
        if drift:
            self.shop.rows["fruits", "f0"] = Row(amount, "blue", "b1")
        expected = self.keeper.expected(wish)
        now = {key: each for key, (_, each) in self.shop.wanted().items()}
        same = {key for key in now.keys() | values.keys() if now.get(key) == values.get(key)}
        expected.send = {k: a for k, a in expected.send.items() if k in before and k in same}
        expected.may &= before.keys() & same
        left_out = drift and any(now.get(k) != values.get(k) for k in now.keys() | values.keys())
        if left_out:
            expected.may_go, expected.delete = expected.may_go | expected.delete, set()
        self.keeper.carried_out(
            expected, "push", str(file), "--allow-drift", "100", *wish.arguments()
        )

    @rule(changes=CHANGES, wish=WISHES, faults=FAULTS)
    def pushes_with_faults(self, changes: list[Change], wish: Wish, faults: list[Fault]) -> None:
        self.people.do(changes)
        before = self.keeper.begin_uncertain(wish)
        for fault in faults:
            self.port.faults.add(fault)
        self.shop.write(self.desk)
        done = self.desk.run("push", *wish.arguments())
        self.port.faults.clear()
        assert done.code in {0, 1}, done.err
        self.keeper.end_uncertain(before, done, certain=0)

    @precondition(lambda self: self.kills < 2)
    @rule(changes=CHANGES, wish=WISHES, number=st.integers(0, 16))
    def is_killed(self, changes: list[Change], wish: Wish, number: int) -> None:
        """While it waits for an answer to its n-th request."""
        self.people.do(changes)
        self.kills += 1
        before = self.keeper.begin_uncertain(wish)
        self.port.faults.add(Fault("slow", after=number, seconds=3600))
        self.shop.write(self.desk)
        with self.desk.start("push", *wish.arguments()) as child:
            until = time.monotonic() + PATIENCE
            while child.poll() is None and len(self.port.requests) <= before.requests + number:
                assert time.monotonic() < until
                time.sleep(0.01)
            time.sleep(0.02)
            child.kill()
            child.communicate()
        self.port.faults.clear()
        self.keeper.end_uncertain(before, None, certain=1)

    def teardown(self) -> None:
        try:
            assert self.port.failures == []
            if sys.exc_info()[0] is None:  # else it is being told of something already
                self.settles()
        finally:
            self.keeper.close()

    def settles(self) -> None:
        """Two pushes without faults: then Port has what it must have, and the books say so."""
        self.pushes([], Wish(retry=True))
        self.pushes([], Wish(retry=True, against=True))
        world = self.keeper.world()
        for key, (_, values) in self.shop.wanted().items():
            if key not in self.ours.refused:
                known = world[key].values
                assert {name: known.get(name) for name in values} == values, key
        ours = {key for key, each in world.items() if each.ours}
        query = self.desk.query
        assert set(query("SELECT blueprint, identifier FROM lading.pushed")) == ours
        refused = set(query("SELECT blueprint, identifier FROM lading.refused"))
        assert refused == self.ours.refused.keys()


class TestSync(SyncMachine.TestCase):  # type: ignore[valid-type, misc]
    settings = settings(
        derandomize=CHOSEN is None,
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
