"""What Port must hold, reckoned from what was done to it and to the project: plain dictionaries,
nothing of the engine.

Where a command met faults, or was killed, it may not be known what the books say of an entity:
then all that they may say is kept, and what follows from each of them is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.engine.cli.machine.shop import Flat, Key, Shop


class Known(NamedTuple):
    """What the books may say of an entity.

    how  `sent` by us, `held` as Port was seen to hold it, or `unsure`: it has to be sent again
    """

    how: str
    resource: str
    values: frozenset[tuple[str, Any]] = frozenset()

    def differs(self, wanted: Flat) -> bool:
        """Whether an entity has to be sent for Port to hold what is wanted."""
        if self.how == "unsure":
            return True
        missing = None if self.how == "held" else "not sent"
        known = dict(self.values)
        return any(known.get(name, missing) != value for name, value in wanted.items())

    def onto(self, resource: str, values: Flat) -> Known:
        """After the entity was sent with these values: what they leave out stays."""
        return Known("sent", resource, frozenset({**dict(self.values), **values}.items()))


def sent(known: Known | None, resource: str, values: Flat) -> Known:
    return (known or Known("sent", resource)).onto(resource, values)


class Held(NamedTuple):
    """An entity in Port, and whether we wrote it last."""

    values: Flat
    ours: bool


@dataclass(frozen=True)
class Wish:
    """The options of a command."""

    against: bool = False
    prune: bool = False
    retry: bool = False

    def arguments(self) -> list[str]:
        given = {"--prune": self.prune, "--retry": self.retry}
        named = [name for name, is_on in given.items() if is_on]
        return [*named, *(["--against", "port"] if self.against else [])]


@dataclass
class Expected:
    """What a command is to do.

    send     the action of each entity that goes to Port for certain
    may      those that may
    delete   what is deleted for certain, unless something fails
    may_go   what may be deleted
    too_much whether the threshold is passed for certain
    back     what Port has refused as it is
    unfit    what Port's blueprint rules out, so that it is not sent
    unsure   the same, if Port does not have it as it is already
    """

    send: dict[Key, str] = field(default_factory=dict)
    may: set[Key] = field(default_factory=set)
    delete: set[Key] = field(default_factory=set)
    may_go: set[Key] = field(default_factory=set)
    too_much: bool = False
    back: set[Key] = field(default_factory=set)
    unfit: set[Key] = field(default_factory=set)
    unsure: set[Key] = field(default_factory=set)


class Rules(NamedTuple):
    """What Port's blueprint asks of a fruit: by a limit, which a plan knows, and by a pattern,
    which is Port's to say."""

    limit: Any = None
    no_red: bool = False

    def rule_out(self, values: Flat) -> bool:
        amount = values.get("amount")
        return self.limit is not None and amount is not None and amount > self.limit

    def refuse(self, values: Flat) -> bool:
        return self.no_red and values.get("colour") == "red"


UNFIT = "it was not sent"
LACKING = "what it relates to is not there: tried again each time"


class Refusal(NamedTuple):
    """What Port refused, and what the mapping and the blueprint were then: None: not known whether
    it is on record, `UNFIT` and `LACKING`: what their texts say."""

    values: Flat
    basis: Any


@dataclass
class Reckoning:
    """The world by our own account.

    books    what the engine may have on record, by entity; without None it has something
    refused  what Port is known to have refused
    """

    shop: Shop
    books: dict[Key, set[Known | None]] = field(default_factory=dict)
    refused: dict[Key, Refusal] = field(default_factory=dict)

    def look(self, port: Mapping[Key, Held]) -> dict[Key, set[Known | None]]:
        """The books once Port was read."""
        wanted = self.shop.wanted()
        makers: dict[str, str] = {}
        for (blueprint, _), (resource, _) in wanted.items():
            makers[blueprint] = min(resource, makers.get(blueprint, resource))
        found: dict[Key, set[Known | None]] = {}
        for key, held in port.items():
            if held.ours:
                makes = {each.resource for each in self.books.get(key, {None}) if each}
                if None in self.books.get(key, {None}):
                    makes.add(makers.get(key[0], ""))
                items = frozenset(held.values.items())
                found[key] = {Known("held", each, items) for each in makes}
        return found

    def basis(self, key: Key, rules: Rules) -> Any:
        resource = self.shop.wanted()[key][0]
        return (self.shop.mapped[resource], self.shop.prefixes[resource], rules)

    def took(self, key: Key, resource: str, values: Flat) -> None:
        """Port has taken it."""
        self.books[key] = {sent(each, resource, values) for each in self.books.get(key, {None})}

    def note_unfit(self, keys: set[Key]) -> None:
        for key in keys:
            self.refused[key] = Refusal(self.shop.wanted()[key][1], UNFIT)

    def hand_over(self, *, certain: bool) -> None:
        """After a plan: what is as it is to be is of the resource that gives it now."""
        for key, (resource, values) in self.shop.wanted().items():
            for known in list(self.books.get(key, ())):
                if known and not known.differs(values):
                    self.books[key].add(known._replace(resource=resource))
                    if certain and known.resource != resource:
                        self.books[key].remove(known)

    def note_perhaps_unfit(self, keys: set[Key]) -> None:
        for key in keys:
            self.refused[key] = Refusal(self.shop.wanted()[key][1], None)

    def expect(self, wish: Wish, rules: Rules) -> Expected:
        """What a command does that meets no fault."""
        found = Expected()
        for key, (_, values) in self.shop.wanted().items():
            self._expect_sent(found, key, values, wish, rules)
        self._expect_gone(found, wish)
        return found

    def _expect_sent(
        self, found: Expected, key: Key, values: Flat, wish: Wish, rules: Rules
    ) -> None:
        may_be = self.books.get(key, {None})
        needs = {each is None or each.differs(values) for each in may_be}
        if needs == {False}:
            return
        if key[0] == "fruit" and rules.rule_out(values):
            (found.unfit if needs == {True} else found.unsure).add(key)
            return
        refusal = self.refused.get(key)
        if refusal and refusal.values == values and not wish.retry:
            if refusal.basis is None or needs != {True}:
                found.may.add(key)
                return
            if refusal.basis == self.basis(key, rules):
                found.back.add(key)
                return
        if needs == {True}:
            actions = {"create" if each is None else "change" for each in may_be}
            found.send[key] = actions.pop() if len(actions) == 1 else "either"
        else:
            found.may.add(key)

    def _expect_gone(self, found: Expected, wish: Wish) -> None:
        wanted = self.shop.wanted()
        sure = all(len({e is None for e in each}) == 1 for each in self.books.values())
        candidates: set[Key] = set()
        stays = set()
        conflicting = self.shop.conflicting()
        for key, may_be in self.books.items():
            if key in wanted or key in conflicting:
                continue
            verdicts = {self._may_go(key, each, wish) for each in may_be if each}
            sure &= len(verdicts) <= 1
            if True in verdicts:
                candidates.add(key)
            if False in verdicts:
                stays.add(key)
        as_it_is = found.back | found.may | found.unfit | found.unsure
        as_it_is |= conflicting & self.books.keys()
        again = found.send.keys() & self.refused.keys()
        holds = {
            key
            for key in wanted.keys() & self.books.keys()
            if key not in found.send or ">basket" not in wanted[key][1]
        }
        spared, perhaps = self._related_to(stays | as_it_is | again | holds)
        sure &= not (perhaps & candidates)
        candidates -= spared
        owned = sum(any(each) for each in self.books.values())
        found.too_much = sure and len(candidates) > self.shop.threshold * owned
        if not sure:
            found.may_go = candidates
        elif not found.too_much:
            found.delete = candidates

    def _may_go(self, key: Key, known: Known, wish: Wish) -> bool:
        if key[0] == "day":
            return self.shop.days is not None
        return wish.prune or known.resource in self.shop.mapped

    def _related_to(self, stays: set[Key]) -> tuple[set[Key], set[Key]]:
        """The baskets that something in Port needs, or will; and those that it may need."""
        given = [values for each in self.shop.given().values() for _, values in each]
        needed = {values[">basket"] for values in given if ">basket" in values}
        perhaps: set[str] = set()
        for key in stays:
            may_be = self.books.get(key, ())
            links = [dict(each.values).get(">basket") for each in may_be if each]
            certain = len(set(links)) == 1 and not any(
                e is None or e.how == "unsure" for e in may_be
            )
            certain &= key not in self.refused or self.refused[key].basis is not None
            (needed if certain else perhaps).update(each for each in links if each)
        return {("basket", each) for each in needed}, {("basket", each) for each in perhaps}

    def blueprints_gone(self, names: set[str], *, certain: bool) -> None:
        """What was pushed to a blueprint that is no more is forgotten."""
        for key in [key for key in self.books if key[0] in names]:
            if certain:
                del self.books[key]
            else:
                self.books[key].add(None)


def merged(held: Held | None, values: Flat) -> Held:
    """An entity after we have written it: null clears, what is left out stays."""
    before = held.values if held else {}
    return Held({k: v for k, v in {**before, **values}.items() if v is not None}, ours=True)


def without(port: Mapping[Key, Held], gone: set[Key], spare: set[Key]) -> dict[Key, Held]:
    """Port after entities are deleted with what depends on them."""
    baskets = {name for blueprint, name in gone if blueprint == "basket"}
    return {
        key: held
        for key, held in port.items()
        if key not in gone and (key in spare or held.values.get(">basket") not in baskets)
    }
