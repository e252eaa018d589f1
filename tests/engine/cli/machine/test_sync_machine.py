"""Whatever happens on the way, Port ends up with what the rows and the mapping say.

A state machine mixes changes of rows and of the mapping, what people do in Port, faults, kills and
a lost database with plans and pushes; each is compared with our own reckoning. A longer run:
`LADING_MACHINE_EXAMPLES=200 LADING_MACHINE_STEPS=30 pytest tests/engine/cli/machine`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.engine.cli.machine.keeper import Keeper
from tests.engine.cli.machine.reckoning import Wish
from tests.engine.cli.machine.shop import MADE_OF, Row

from lading.sandbox.faults import Fault
from lading.sandbox.port_records import PortRefusal

EXAMPLES = int(os.environ.get("LADING_MACHINE_EXAMPLES", "3"))
STEPS = int(os.environ.get("LADING_MACHINE_STEPS", "9"))
PATIENCE = 60.0

AMOUNTS = st.sampled_from([Decimal(text) for text in ("0", "1", "7.5", "60", "99.25")])
COLOURS = st.sampled_from(["red", "green", None])
BASKETS = st.sampled_from(["b0", "b1", "b2", "b3"])
NAMES = st.integers(0, 5).map("f{}".format)
NUTS = st.sets(st.integers(0, 27), min_size=1).map(lambda found: [f"n{n:02}" for n in found])
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
        self.kills = 0

    # What people change.

    @rule(name=NAMES, amount=AMOUNTS, colour=COLOURS, basket=BASKETS)
    def puts_a_fruit(self, name: str, amount: Decimal, colour: str | None, basket: str) -> None:
        self.shop.rows["fruits", name] = Row(amount, colour, basket)

    @rule(names=NUTS, amount=AMOUNTS)
    def puts_nuts(self, names: list[str], amount: Decimal) -> None:
        for name in names:
            self.shop.rows["nuts", name] = Row(amount, None)

    @rule(basket=BASKETS, colour=COLOURS)
    def puts_a_basket(self, basket: str, colour: str | None) -> None:
        self.shop.rows["baskets", basket] = Row(Decimal(0), colour)

    @rule(what=st.sampled_from(sorted(MADE_OF)), data=st.data())
    def takes_rows_away(self, what: str, data: st.DataObject) -> None:
        names = sorted(name for kind, name in self.shop.rows if kind == what)
        if names:
            for name in data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=30)):
                del self.shop.rows[what, name]

    @rule(
        what=st.sampled_from(["fruits", "nuts"]),
        named=st.sets(st.sampled_from(["amount", "colour", "size"]), min_size=1),
    )
    def maps_properties(self, what: str, named: set[str]) -> None:
        if what in self.shop.mapped:
            self.shop.mapped[what] = frozenset(named)

    @rule(what=st.sampled_from(["fruits", "nuts"]), prefix=st.sampled_from(["", "x-"]))
    def renames(self, what: str, prefix: str) -> None:
        self.shop.prefixes[what] = prefix

    @rule(what=st.sampled_from(["fruits", "nuts"]))
    def drops_or_adds_a_resource(self, what: str) -> None:
        if what not in self.shop.mapped:
            self.shop.mapped[what] = frozenset(("amount",))
        elif len(self.shop.mapped) == len(MADE_OF):
            del self.shop.mapped[what]

    @rule(threshold=st.sampled_from([0.1, 0.5, 0.9, 1.0]))
    def sets_the_threshold(self, threshold: float) -> None:
        self.shop.threshold = threshold

    @precondition(lambda self: self.port.entities)
    @rule(data=st.data(), amount=AMOUNTS, colour=COLOURS)
    def edits_in_port(self, data: st.DataObject, amount: Decimal, colour: str | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.port.entities)))
        given = {"label": colour} if key[0] == "basket" else {"amount": amount, "colour": colour}
        try:
            self.port.edit(*key, **given)
        except PortRefusal:
            assert self.keeper.limit() is not None

    @precondition(lambda self: self.port.entities)
    @rule(data=st.data())
    def removes_in_port(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.port.entities)))
        try:
            self.port.remove(*key)
        except PortRefusal:
            assert key[0] == "basket"

    @rule(both=st.booleans())
    def deletes_blueprints_in_port(self, both: bool) -> None:
        for name in ("fruit", "basket") if both else ("fruit",):
            self.port.blueprints.pop(name, None)
            for key in [key for key in self.port.entities if key[0] == name]:
                del self.port.entities[key]

    @precondition(lambda self: "fruit" in self.port.blueprints)
    @rule(limit=st.sampled_from([None, 50]))
    def limits_amounts_in_port(self, limit: int | None) -> None:
        body = json.loads(json.dumps(self.port.blueprints["fruit"]))
        body["schema"]["properties"]["amount"] = {"type": "number"}
        if limit is not None:
            body["schema"]["properties"]["amount"]["maximum"] = limit
        self.port.blueprints["fruit"] = body

    @rule()
    def loses_the_database(self) -> None:
        for path in self.folder.glob("claude.duckdb*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.ours.books.clear()
        self.ours.refused.clear()

    # What is run.

    @initialize()
    def begins(self) -> None:
        self.pushes(Wish())

    @rule(wish=WISHES)
    def pushes(self, wish: Wish) -> None:
        expected = self.keeper.expected(wish)
        done = self.keeper.carried_out(expected, "push", *wish.arguments())
        bad = expected.too_much or expected.back or self.ours.refused
        if not expected.may:
            assert done.code == bool(bad), done.err

    @rule(wish=WISHES, data=st.data())
    def plans_and_pushes(self, wish: Wish, data: st.DataObject) -> None:
        planned = self.keeper.plans(wish)
        expected = self.keeper.expected(wish)
        requests = len(self.port.requests)
        self.keeper.carried_out(expected, "push", *wish.arguments())
        asked = self.port.requests[requests:]
        doing = {a: {k for k, b in planned.items() if b == a} for a in set(planned.values())}
        sends = doing.get("create", set()) | doing.get("change", set())
        assert set(self.keeper.sent(asked)) == sends
        assert set(self.keeper.deleted(asked)) in (doing.get("delete", set()), set())

    @rule(wish=WISHES, drift=st.booleans(), amount=AMOUNTS)
    def pushes_a_saved_plan(self, wish: Wish, drift: bool, amount: Decimal) -> None:
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

    @rule(wish=WISHES, faults=FAULTS)
    def pushes_with_faults(self, wish: Wish, faults: list[Fault]) -> None:
        before = self.keeper.begin_uncertain(wish)
        for fault in faults:
            self.port.faults.add(fault)
        self.shop.write(self.desk)
        done = self.desk.run("push", *wish.arguments())
        self.port.faults.clear()
        assert done.code in {0, 1}, done.err
        self.keeper.end_uncertain(before, done, certain=0)

    @precondition(lambda self: self.kills < 2)
    @rule(wish=WISHES, number=st.integers(0, 16))
    def is_killed(self, wish: Wish, number: int) -> None:
        """While it waits for an answer to its n-th request."""
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
        self.pushes(Wish(retry=True))
        self.pushes(Wish(retry=True, against=True))
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
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
