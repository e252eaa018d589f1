"""What people change between two commands, of the project and in Port."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tests.engine.cli.machine.reckoning import Rules
from tests.engine.cli.machine.shop import FIRST_FETCHED, MADE_OF, Row

from lading.sandbox.port_records import PortRefusal

if TYPE_CHECKING:
    from tests.engine.cli.machine.keeper import Keeper
    from tests.engine.cli.machine.shop import Key

Change = tuple[str, dict[str, Any]]

AMOUNTS = st.sampled_from([Decimal(text) for text in ("0", "1", "7.5", "60", "99.25")])
COLOURS = st.sampled_from(["red", "green", None])
BASKETS = st.sampled_from(["b0", "b1", "b2"])
FRUITS = st.sampled_from(["f0", "f1", "f2", "f3"])
NUTS = st.integers(1, 28).map(lambda count: [f"n{number:02}" for number in range(count)])
GROWN = st.sampled_from(["fruits", "nuts"])
PROPERTIES = st.builds(
    set.union,
    st.sets(st.sampled_from(["amount", "colour", "size"]), min_size=1),
    st.sets(st.just(">basket")),
)
WHICH = st.integers(0, 50)


def _change(name: str, /, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    return st.tuples(st.just(name), st.fixed_dictionaries(given))


CHANGES = st.lists(
    st.one_of(
        _change("put_fruit", name=FRUITS, amount=AMOUNTS, colour=COLOURS, basket=BASKETS),
        _change("put_nuts", names=NUTS, amount=AMOUNTS),
        _change("put_basket", basket=BASKETS, colour=COLOURS),
        _change("take_basket_away", old=BASKETS, new=BASKETS),
        _change("take_rows_away", what=st.sampled_from(sorted(MADE_OF)), first=WHICH, count=WHICH),
        _change("map_properties", what=GROWN, named=PROPERTIES),
        _change("rename", what=GROWN, prefix=st.sampled_from(["", "x-"])),
        _change("drop_or_add_resource", what=GROWN),
        _change("put_twin", name=FRUITS, amount=AMOUNTS),
        _change(
            "restate",
            day=st.integers(0, 4),
            more=st.integers(0, 3),
            gone=st.sampled_from([0, 0, 1, 999]),
        ),
        _change("create_missing", lenient=st.booleans()),
        _change("set_threshold", threshold=st.sampled_from([0.1, 0.5, 0.9, 1.0])),
        _change("edit_in_port", which=WHICH, amount=AMOUNTS, colour=COLOURS),
        _change("remove_in_port", which=WHICH),
        _change("delete_blueprints_in_port", both=st.booleans()),
        _change("limit_amounts_in_port", limit=st.sampled_from([None, 50])),
        _change("forbid_red_in_port", forbidden=st.booleans()),
        _change("lose_database"),
    ),
    max_size=4,
)


class People:
    """They change rows, the mapping, and what is in Port."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.port, self.shop = keeper.port, keeper.shop

    def do(self, changes: list[Change]) -> None:
        for name, given in changes:
            getattr(self, name)(**given)

    def put_fruit(self, name: str, amount: Decimal, colour: str | None, basket: str) -> None:
        self.shop.rows["fruits", name] = Row(amount, colour, basket)

    def put_nuts(self, names: list[str], amount: Decimal) -> None:
        for name in names:
            self.shop.rows["nuts", name] = Row(amount, None)

    def put_basket(self, basket: str, colour: str | None) -> None:
        self.shop.rows["baskets", basket] = Row(Decimal(0), colour)

    def take_basket_away(self, old: str, new: str) -> None:
        """What was in it is put into another one."""
        self.shop.rows.pop(("baskets", old), None)
        for row in self.shop.rows.values():
            row.basket = new if row.basket == old else row.basket

    def take_rows_away(self, what: str, first: int, count: int) -> None:
        names = sorted(name for kind, name in self.shop.rows if kind == what)
        for name in names[first % max(1, len(names)) :][: count + 1]:
            del self.shop.rows[what, name]

    def map_properties(self, what: str, named: set[str]) -> None:
        if what in self.shop.mapped:
            self.shop.mapped[what] = frozenset(named)

    def rename(self, what: str, prefix: str) -> None:
        self.shop.prefixes[what] = prefix

    def drop_or_add_resource(self, what: str) -> None:
        if what not in self.shop.mapped:
            self.shop.mapped[what] = frozenset(("amount", ">basket"))
        elif len(self.shop.mapped) == len(MADE_OF):
            del self.shop.mapped[what]

    def put_twin(self, name: str, amount: Decimal) -> None:
        """A nut that is called as a fruit, and is the same but for its amount, if that."""
        fruit = self.shop.rows.get(("fruits", name), Row(amount, "red"))
        self.shop.rows["nuts", name] = Row(amount, fruit.colour, fruit.basket)

    def restate(self, day: int, more: int, gone: int) -> None:
        """The report tells otherwise of a day, or nothing at all."""
        self.keeper.anthropic.restate(FIRST_FETCHED + timedelta(day), more=more, withdrawn=gone)

    def create_missing(self, lenient: bool) -> None:
        self.shop.lenient = lenient

    def set_threshold(self, threshold: float) -> None:
        self.shop.threshold = threshold

    def _pick(self, which: int) -> Key | None:
        keys = sorted(self.port.entities)
        return keys[which % len(keys)] if keys else None

    def edit_in_port(self, which: int, amount: Decimal, colour: str | None) -> None:
        if key := self._pick(which):
            basket, fruit = {"label": colour}, {"amount": amount, "colour": colour}
            try:
                self.port.edit(*key, **(basket if key[0] == "basket" else fruit))
            except PortRefusal:
                assert self.keeper.rules() != Rules()

    def remove_in_port(self, which: int) -> None:
        if key := self._pick(which):
            try:
                self.port.remove(*key)
            except PortRefusal:
                assert key[0] == "basket"

    def delete_blueprints_in_port(self, both: bool) -> None:
        for name in ("fruit", "basket") if both else ("fruit",):
            self.port.blueprints.pop(name, None)
            for key in [key for key in self.port.entities if key[0] == name]:
                del self.port.entities[key]

    def limit_amounts_in_port(self, limit: int | None) -> None:
        allowed = {"type": "number"} | ({"maximum": limit} if limit else {})
        self._define("amount", allowed)

    def forbid_red_in_port(self, forbidden: bool) -> None:
        allowed = {"type": "string"} | ({"pattern": "^(?!red)"} if forbidden else {})
        self._define("colour", allowed)

    def _define(self, name: str, definition: dict[str, Any]) -> None:
        if body := json.loads(json.dumps(self.port.blueprints.get("fruit"))):
            body["schema"]["properties"][name] = definition
            self.port.blueprints["fruit"] = body

    def lose_database(self) -> None:
        for path in self.keeper.folder.glob("claude.duckdb*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.shop.days, self.shop.failing = None, False
        self.keeper.ours.books.clear()
        self.keeper.ours.refused.clear()
