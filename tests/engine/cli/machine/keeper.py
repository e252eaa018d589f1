"""The project, Port and what is run between them, and what must come of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engine.cli.machine.reckoning import (
    LACKING,
    Expected,
    Held,
    Reckoning,
    Refusal,
    Rules,
    Wish,
    merged,
    sent,
    without,
)
from tests.engine.cli.machine.shop import BLUEPRINTS, Key, Shop
from tests.engine.conftest import FIRST_DAY, Desk, Done

from lading.sandbox.anthropic import AnthropicStandIn
from lading.sandbox.organisation import Organisation
from lading.sandbox.port import PortStandIn

if TYPE_CHECKING:
    from lading.sandbox.port_records import PortEntity
    from lading.sandbox.server import Request


def held(entity: PortEntity) -> Held:
    """An entity as Port has it, in our own terms."""
    links = {f">{name}": value for name, value in entity.relations.items()}
    ours = entity.datasource.startswith("port-ocean/")
    return Held({**entity.properties, **links}, ours)


@dataclass(frozen=True)
class Before:
    """How things were before a command that may fail anywhere.

    world     what Port held, in our terms and in its own (`entities`)
    expected  what is sent if all goes well
    may_go    what may be deleted
    requests  how many Port had had
    """

    world: dict[Key, Held]
    entities: dict[Key, PortEntity]
    expected: Expected
    may_go: set[Key]
    requests: int


class Keeper:
    """Runs commands, and compares what they do with what we reckon."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lading-machine-"))
        self.port = PortStandIn().start()
        self.anthropic = AnthropicStandIn(Organisation(first_day=FIRST_DAY)).start()
        self.desk = Desk(self.folder, self.anthropic, self.port)
        self.shop = Shop.opened()
        self.shop.lay_out(self.desk)
        self.ours = Reckoning(self.shop)

    def close(self) -> None:
        self.port.stop()
        self.anthropic.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def world(self) -> dict[Key, Held]:
        return {key: held(each) for key, each in self.port.entities.items()}

    def rules(self) -> Rules:
        """What Port's blueprint asks of a fruit."""
        body = self.port.blueprints.get("fruit")
        properties = body["schema"]["properties"] if body else {"amount": {}, "colour": {}}
        return Rules(properties["amount"].get("maximum"), "pattern" in properties["colour"])

    def expected(self, wish: Wish) -> Expected:
        """What a command does now; the books are what they are once it has looked at Port."""
        gone = BLUEPRINTS.keys() - self.port.blueprints.keys()
        self.ours.blueprints_gone(gone, certain=True)
        if wish.against:
            self.ours.books = self.ours.look(self.world())
        return self.ours.expect(wish, self.rules())

    def plans(self, wish: Wish, *arguments: str) -> dict[Key, str]:
        """What a plan says is to be done, which must be what we reckon; nothing is sent."""
        expected, world = self.expected(wish), self.world()
        self.shop.write(self.desk)
        done = self.desk.run("plan", "-o", "json", *wish.arguments(), *arguments)
        self.ours.hand_over(certain=True)
        assert self.world() == world
        found = {
            (each["blueprint"], each["identifier"]): each["action"]
            for each in json.loads(done.out)["changes"]
        }
        sends = {key: a for key, a in found.items() if a in {"create", "change"}}
        self.check_sends(expected, set(sends))
        for key, action in expected.send.items():
            assert action in {"either", sends[key]}, key
        if not expected.may_go and not expected.too_much:
            assert {key for key, a in found.items() if a == "delete"} == expected.delete
        return {key: a for key, a in found.items() if a in {"create", "change", "delete"}}

    def check_sends(self, expected: Expected, sends: set[Key], said: str = "") -> None:
        assert sends >= expected.send.keys(), (sorted(expected.send.keys() - sends), said)
        more = sends - expected.send.keys() - expected.may
        assert not more, (sorted(more), said)

    def carried_out(self, expected: Expected, *arguments: str) -> Done:
        """A push without faults: Port afterwards is what we reckon."""
        world, requests = self.world(), len(self.port.requests)
        before = set(self.ours.refused)
        self.shop.write(self.desk)
        done = self.desk.run(*arguments)
        asked = self.port.requests[requests:]
        self.ours.hand_over(certain=True)
        times = Counter(self.sent(asked))
        assert max(times.values(), default=1) == 1
        self.check_sends(expected, set(times), done.err)
        self.note_sent(world, set(times))
        self.ours.note_unfit(expected.unfit)
        self.ours.note_perhaps_unfit(expected.unsure)
        asked_to_go = set(self.deleted(asked))
        refused_now = times.keys() & self.ours.refused.keys()
        assert asked_to_go <= expected.delete | expected.may_go
        # What is refused for the first time keeps everything; later, what it relates to.
        assert refused_now <= before or not asked_to_go
        assert refused_now or asked_to_go >= expected.delete
        after = without(world, asked_to_go, set())
        for key in asked_to_go:
            self.ours.books.pop(key, None)
        assert self.world() == after, done.err
        return done

    def note_sent(self, world: dict[Key, Held], keys: set[Key]) -> None:
        """Have our account of Port, and of the books, follow what was sent."""
        wanted, rules = self.shop.wanted(), self.rules()
        there = wanted.keys() | self.shop.conflicting()
        for key in list(self.ours.refused):
            settled = key not in there or key in keys
            known = self.ours.books.get(key, {None})
            settled |= key in wanted and not any(
                k is None or k.differs(wanted[key][1]) for k in known
            )
            if settled:
                del self.ours.refused[key]
        for key in sorted(keys):
            resource, values = wanted[key]
            if key[0] == "fruit" and rules.refuse(values):
                self.ours.refused[key] = Refusal(values, self.ours.basis(key, rules))
                continue
            if not self.shop.lenient and ("basket", values.get(">basket")) not in {
                *world,
                ("basket", None),
            }:
                self.ours.refused[key] = Refusal(values, LACKING)
                continue
            world[key] = merged(world.get(key), values)
            self.ours.took(key, resource, values)
            if ">basket" in values:
                world.setdefault(("basket", values[">basket"]), Held({}, ours=True))

    def sent(self, requests: list[Request]) -> list[Key]:
        return [
            (request.path.split("/")[3], each["identifier"])
            for request in self.bulks(requests)
            for each in json.loads(request.body)["entities"]
        ]

    def bulks(self, requests: list[Request]) -> list[Request]:
        return [each for each in requests if each.path.endswith("/entities/bulk") and whole(each)]

    def deleted(self, requests: list[Request]) -> list[Key]:
        return [
            (request.path.split("/")[3], name)
            for request in requests
            if request.path.endswith("/bulk/entities/delete") and whole(request)
            for name in json.loads(request.body)["entities"]
        ]

    def begin_uncertain(self, wish: Wish) -> Before:
        """Before a command that may fail anywhere."""
        gone = BLUEPRINTS.keys() - self.port.blueprints.keys()
        self.ours.blueprints_gone(gone, certain=False)
        seen = Reckoning(self.shop, dict(self.ours.books), self.ours.refused)
        if wish.against:
            seen.books = seen.look(self.world())
            for key in self.ours.books.keys() | seen.books.keys():
                both = self.ours.books.get(key, {None}) | seen.books.get(key, {None})
                self.ours.books[key] = both
        either = self.ours.expect(wish, self.rules())
        looked = seen.expect(wish, self.rules())
        may_go = either.delete | either.may_go | looked.delete | looked.may_go
        entities = dict(self.port.entities)
        return Before(self.world(), entities, either, may_go, len(self.port.requests))

    def end_uncertain(self, before: Before, done: Done | None, *, certain: int) -> None:
        """After it: whatever is in Port has a reason, and nothing went because something failed.

        certain  of the bulks that were sent, all but the last so many were answered
        """
        asked = self.port.requests[before.requests :]
        keys, wanted = set(self.sent(asked)), self.shop.wanted()
        assert keys <= before.expected.send.keys() | before.expected.may
        asked_to_go = set(self.deleted(asked))
        assert asked_to_go <= before.may_go
        world = self.world()
        links = {wanted[key][1].get(">basket") for key in keys}
        baskets = {("basket", each) for each in links if each}
        for key in world.keys() | before.world.keys():
            self.check_reason(before, key, world.get(key), keys, asked_to_go, baskets)
        if asked_to_go:
            must = before.expected.send.keys() - self.ours.refused.keys()
            lacking = {key for key in must if not self.has(world, key)}
            assert not lacking, done and done.err
        for key in keys:
            self.note_uncertain(before, key)
        for key in asked_to_go - world.keys():
            self.ours.books.setdefault(key, set()).add(None)
        if certain:
            self.note_answered(asked, bool(asked_to_go))
        self.ours.hand_over(certain=False)
        self.ours.note_perhaps_unfit(before.expected.unfit | before.expected.unsure)

    def has(self, world: dict[Key, Held], key: Key) -> bool:
        values = self.shop.wanted()[key][1]
        return key in world and all(world[key].values.get(n) == v for n, v in values.items())

    def check_reason(
        self,
        before: Before,
        key: Key,
        now: Held | None,
        keys: set[Key],
        asked_to_go: set[Key],
        baskets: set[Key],
    ) -> None:
        old = before.world.get(key)
        reasons: list[Held | None] = [old]
        if key in keys:
            reasons.append(merged(old, self.shop.wanted()[key][1]))
        if key in baskets:
            reasons.append(Held({}, ours=True))
        if key in asked_to_go or (old and ("basket", old.values.get(">basket")) in asked_to_go):
            reasons.append(None)
        assert now in reasons, (key, old, now)

    def note_uncertain(self, before: Before, key: Key) -> None:
        resource, values = self.shop.wanted()[key]
        base = self.ours.books.get(key, {None})
        taken = self.port.entities.get(key) is not before.entities.get(key)
        known = {sent(each, resource, values) for each in base}
        unsure = {each._replace(how="unsure") for each in known}
        self.ours.books[key] = {*(known if taken else base), *unsure}
        self.ours.refused[key] = Refusal(values, None)

    def note_answered(self, asked: list[Request], all_of_them: bool) -> None:
        """With one request at a time, a bulk is answered before the next begins."""
        bulks = self.bulks(asked)
        for key in self.sent(bulks if all_of_them else bulks[:-1]):
            resource, values = self.shop.wanted()[key]
            if key[0] == "fruit" and (self.rules().refuse(values) or not self.shop.lenient):
                continue
            self.ours.took(key, resource, values)
            self.ours.refused.pop(key, None)


def whole(request: Request) -> bool:
    return len(request.body) == int(request.headers.get("content-length", 0))
