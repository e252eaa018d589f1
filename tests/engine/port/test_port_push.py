"""Pushing through real HTTP from a real database file: what gets there, and what is remembered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from lading.errors import (
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from lading.port.client import PortClient, UpsertSettings
from lading.port.delivery import Outcome, RefusedEntity
from lading.port.journal import recover
from lading.port.outbox import Entry
from lading.port.tally import Failure, PushCounts, PushResult, Tally
from lading.project.model import Connection
from lading.sandbox.faults import Fault
from lading.sandbox.port import CLIENT_ID, CLIENT_SECRET, utc_now
from lading.sandbox.port_limits import RateLimit

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard

Rows = list[tuple[str, str, str, str]]


def text(identifier: str, tokens: object = 1) -> str:
    return json.dumps({"identifier": identifier, "properties": {"tokens": tokens}})


def usage(*identifiers: str, tokens: object = 1) -> Rows:
    return [("usage", "usage", name, text(name, tokens)) for name in identifiers]


def cost(*identifiers: str) -> Rows:
    return [("cost", "cost", name, text(name)) for name in identifiers]


def names(count: int, prefix: str = "e") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def counts(blueprint: str, **of_it: int) -> PushCounts:
    return PushCounts(blueprint, **of_it)


def refusals(result: PushResult) -> list[RefusedEntity]:
    return [each for each in result.failures if isinstance(each, RefusedEntity)]


def failures(result: PushResult) -> list[Failure]:
    return [each for each in result.failures if isinstance(each, Failure)]


def refused(yard: Yard) -> list[tuple[str, str]]:
    rows = yard.rows("SELECT blueprint, identifier FROM lading.refused ORDER BY ALL")
    return [(blueprint, identifier) for blueprint, identifier in rows]


def test_everything_new_gets_there_in_bulks_of_twenty(yard: Yard) -> None:
    yard.stage(*usage(*names(45)), *cost("c"))
    progress: list[int] = []
    yard.on_progress = progress.append
    result = yard.push()
    assert result.ok
    assert result.blueprints == (counts("cost", created=1), counts("usage", created=45))
    assert yard.held() == {**dict.fromkeys(names(45), 1), "c": 1}
    sizes = [len(json.loads(each.body)["entities"]) for each in yard.bulks()]
    assert sorted(sizes) == [1, 5, 20, 20]
    assert sorted(progress) == [1, 5, 20, 20]


def test_what_port_took_is_remembered_as_it_was_sent(yard: Yard) -> None:
    yard.stage(("usage", "usage", "e", '{"identifier": "e",  "title":"é"}'))
    yard.push()
    assert yard.rows("FROM lading.pushed") == [
        (
            yard.client.destination,
            "usage",
            "e",
            "usage",
            yard.rows("SELECT hash FROM lading.entities")[0][0],
            '{"identifier": "e",  "title":"é"}',
            datetime(2026, 3, 20, 15, 30),  # noqa: DTZ001 - the column has no zone
            "run-1",
            None,
        )
    ]
    assert list(yard.database.spool.iterdir()) == []


def test_a_second_push_sends_nothing(yard: Yard) -> None:
    yard.stage_usage(30)
    yard.push()
    before = len(yard.stand_in.requests)
    result = yard.push()
    assert result.blueprints == (counts("usage", unchanged=30),)
    assert (result.ok, result.sent) == (True, 0)
    assert len(yard.stand_in.requests) == before


def test_only_what_changed_is_sent(yard: Yard) -> None:
    yard.stage(*usage(*names(30)))
    yard.push()
    before = len(yard.bulks())
    yard.stage(*usage(*names(29)), *usage("e29", tokens=2), *usage("e30"))
    result = yard.push()
    assert result.blueprints == (counts("usage", created=1, changed=1, unchanged=29),)
    assert yard.sent(yard.bulks()[before:]) == ["e29", "e30"]
    assert yard.held()["e29"] == 2


def test_what_other_resources_give_is_not_sent(yard: Yard) -> None:
    yard.stage(*usage("e"), *cost("c"))
    result = yard.push(["cost"])
    assert result.blueprints == (counts("cost", created=1),)
    assert yard.sent() == ["c"]
    assert yard.push().blueprints == (counts("cost", unchanged=1), counts("usage", created=1))


def test_conflicting_rows_are_not_sent_and_the_rest_is(yard: Yard) -> None:
    yard.stage(*usage("e", "f"), *usage("e", tokens=2))
    result = yard.push()
    assert result.blueprints == (counts("usage", created=1, conflicting=1),)
    assert not result.ok
    assert yard.sent() == ["f"]


def test_what_does_not_fit_is_refused_without_asking_port(yard: Yard) -> None:
    yard.stage(*usage("e", "f", "g"), *cost("c"), faults={"f": "title is 5, not a text", "c": "no"})
    result = yard.push()
    assert result.blueprints == (
        counts("cost", refused=1),
        counts("usage", created=2, refused=1),
    )
    assert not result.ok
    assert yard.sent() == ["e", "g"]
    assert [str(each) for each in refusals(result)] == [
        "cost 'c' (cost): no",
        "usage 'f' (usage): title is 5, not a text",
    ]
    told = "SELECT identifier, status, error, message, run_id FROM lading.refused ORDER BY ALL"
    assert yard.rows(told) == [
        ("c", None, "unfit", "no", "run-1"),
        ("f", None, "unfit", "title is 5, not a text", "run-1"),
    ]
    yard.stage(*usage("e", "f", "g"), *cost("c"), faults={"c": "still no"})
    assert yard.push().blueprints == (
        counts("cost", refused=1),
        counts("usage", created=1, unchanged=2),
    )
    assert yard.rows(told) == [("c", None, "unfit", "still no", "run-2")]
    yard.stage(*usage("e", "f", "g"))
    assert yard.push().ok
    assert refused(yard) == []


def test_what_does_not_fit_alone_asks_nothing_of_port(yard: Yard) -> None:
    yard.stage(*usage("e"), faults={"e": "no"})
    assert yard.push().blueprints == (counts("usage", refused=1),)
    assert yard.stand_in.requests == []


def test_nothing_to_push_asks_nothing_of_port(yard: Yard) -> None:
    yard.stage()
    result = yard.push()
    assert (result.blueprints, result.ok) == ((), True)
    assert yard.stand_in.requests == []


def test_each_resource_is_written_with_its_mappings_settings(yard: Yard) -> None:
    yard.settings["cost"] = UpsertSettings(merge=False, create_missing_related_entities=False)
    yard.stage(*usage("e"), ("cost", "usage", "f", text("f")))
    yard.push()
    merged = {yard.sent([each])[0]: dict(each.query)["merge"] for each in yard.bulks()}
    assert merged == {"e": "true", "f": "false"}


def test_a_207_is_told_remembered_and_tried_again(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("207", path="/bulk", every=3))
    yard.stage_usage(7)
    result = yard.push()
    assert result.blueprints == (counts("usage", created=5, refused=2),)
    assert not result.ok
    assert [(each.identifier, each.resource, each.status) for each in refusals(result)] == [
        ("e2", "usage", 422),
        ("e5", "usage", 422),
    ]
    assert str(refusals(result)[0]) == "usage 'e2' (usage): refused by a fault that is switched on"
    assert refused(yard) == [("usage", "e2"), ("usage", "e5")]
    (row,) = yard.rows("SELECT status, message, run_id FROM lading.refused WHERE identifier='e2'")
    assert row == (422, "refused by a fault that is switched on", "run-1")
    before = len(yard.bulks())
    again = yard.push()
    assert again.blueprints == (counts("usage", created=2, unchanged=5),)
    assert yard.sent(yard.bulks()[before:]) == ["e2", "e5"]
    assert refused(yard) == []


def test_an_entity_that_the_blueprint_does_not_allow_costs_only_itself(yard: Yard) -> None:
    yard.stage(*usage(*names(10)), *usage("bad", tokens="many"))
    result = yard.push()
    assert result.blueprints == (counts("usage", created=10, refused=1),)
    assert '"properties.tokens" must be number' in refusals(result)[0].message


def test_a_refused_change_is_tried_again_too(yard: Yard) -> None:
    yard.stage(*usage("e"))
    yard.push()
    yard.stage(*usage("e", tokens="many"))
    assert yard.push().blueprints == (counts("usage", refused=1),)
    assert yard.push().blueprints == (counts("usage", refused=1),)
    yard.stage(*usage("e", tokens=3))
    assert yard.push().blueprints == (counts("usage", changed=1),)
    assert refused(yard) == []


def test_a_refusal_is_forgotten_when_it_no_longer_matters(yard: Yard) -> None:
    yard.stage(*usage("back", "gone"), *cost("other"))
    yard.push()
    yard.stage(*usage("back", "gone", tokens="many"), ("cost", "cost", "other", text("o", "x")))
    yard.push()
    assert refused(yard) == [("cost", "other"), ("usage", "back"), ("usage", "gone")]
    yard.stage(*usage("back"))
    before = len(yard.bulks())
    yard.push(["usage"])
    assert refused(yard) == [("cost", "other")]
    assert len(yard.bulks()) == before


def test_a_bulk_refused_as_a_whole_is_halved_until_the_culprit_stands_alone(yard: Yard) -> None:
    good = names(39)
    yard.stage(*usage(*good[:7]), *usage("with space"), *usage(*good[7:]))
    result = yard.push()
    assert result.blueprints == (counts("usage", created=39, refused=1),)
    assert [each.identifier for each in refusals(result)] == ["with space"]
    assert "identifier must match" in refusals(result)[0].message
    assert set(yard.held()) == set(good)
    assert refused(yard) == [("usage", "with space")]
    assert yard.rows("SELECT count(*) FROM lading.pushed WHERE hash = ''") == [(0,)]
    before = len(yard.bulks())
    yard.push()
    assert yard.sent(yard.bulks()[before:]) == ["with space"]


def test_an_entity_in_neither_list_is_refused_and_sent_again(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("unanswered", path="/bulk", every=4))
    yard.stage_usage(5)
    result = yard.push()
    assert result.blueprints == (counts("usage", created=4, refused=1),)
    assert [each.identifier for each in refusals(result)] == ["e3"]
    assert "neither list" in refusals(result)[0].message
    before = len(yard.bulks())
    yard.push()
    assert yard.sent(yard.bulks()[before:]) == ["e3"]
    assert yard.rows("SELECT count(*) FROM lading.pushed WHERE hash <> ''") == [(5,)]
    assert refused(yard) == []


def test_what_may_have_got_there_is_not_taken_for_what_port_had(yard: Yard) -> None:
    yard.stage(*usage("e", tokens=1))
    yard.push()
    yard.stand_in.faults.add(Fault("unanswered", path="/bulk", every=1))
    yard.stage(*usage("e", tokens=2))
    yard.push()
    assert yard.held() == {"e": 2}
    yard.stage(*usage("e", tokens=1))
    assert yard.push().blueprints == (counts("usage", changed=1),)
    assert yard.held() == {"e": 1}


def test_an_entity_over_a_mebibyte_is_refused_here_and_the_others_go(yard: Yard) -> None:
    bare = len(text("big", ""))
    limit = 1_048_576 - len('{"entities":[]}')
    yard.stage(
        *usage("a", tokens=1),
        ("usage", "usage", "fits", text("fits", "x" * (limit - bare - 1))),
        ("usage", "usage", "big", text("big", "x" * (limit - bare + 1))),
        ("usage", "usage", "huge", text("huge", "x" * 5_000_000)),
        *usage("z", tokens=1),
    )
    result = yard.push()
    said = {each.identifier: each for each in refusals(result)}
    assert set(said) == {"fits", "big", "huge"}
    assert said["fits"].status == 422  # Port has read it: `tokens` is no number
    assert (said["big"].status, said["big"].error) == (None, "too_large")
    assert "1,048,562 bytes" in said["big"].message
    assert "1,048,576" in said["big"].message
    assert set(yard.held()) == {"a", "z"}
    assert {len(each.body) for each in yard.bulks()} >= {1_048_576}
    assert refused(yard) == [("usage", "big"), ("usage", "fits"), ("usage", "huge")]


@pytest.mark.parametrize("kind", ["429", "503", "reset", "truncated", "garbled", "401", "expired"])
def test_a_passing_fault_leaves_no_trace(yard: Yard, kind: str) -> None:
    yard.stand_in.reset_as = "seconds"
    yard.stand_in.faults.add(Fault(kind, path="/bulk", after=1, reset=0.05))
    yard.stage_usage(100)
    result = yard.push()
    assert result.blueprints == (counts("usage", created=100),)
    assert yard.held() == dict.fromkeys(names(100), 1)
    assert yard.push().blueprints == (counts("usage", unchanged=100),)


def test_tokens_that_expire_in_the_middle_are_replaced(yard: Yard) -> None:
    moments = (utc_now() + timedelta(seconds=100 * number) for number in range(10_000))
    yard.stand_in.now = lambda: next(moments)
    yard.stand_in.token_seconds = 950
    yard.stage_usage(400)
    with PortClient(replace(yard.connection, concurrency=1)) as client:
        yard.client = client
        assert yard.push().blueprints == (counts("usage", created=400),)
    assert yard.tokens_asked_for() > 1
    assert len(yard.held()) == 400


def test_a_blueprint_whose_bulks_fail_is_given_up_and_the_others_go(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("503", path="/cost/", times=None))
    yard.stage(*usage(*names(60)), *cost(*names(200, "c")))
    result = yard.push()
    assert result.blueprints == (counts("cost", failed=200), counts("usage", created=60))
    assert {type(each.error) for each in failures(result)} == {UnavailableError}
    tries = Counter("/cost/" in each.path for each in yard.bulks())
    assert tries[True] <= 6 * yard.connection.retry.tries
    assert set(yard.held()) == set(names(60))
    yard.stand_in.faults.clear()
    again = yard.push()
    assert sum(each.created + each.changed for each in again.blueprints) == 200
    assert len(yard.held()) == 260


def test_only_failures_in_a_row_count_towards_giving_up() -> None:
    failed, went_well = Outcome(error=UnavailableError("down")), Outcome()
    tally = Tally(())
    first = Entry(0, 0, "create", "usage", "e", "usage", "h", 2, None, "{}")
    for outcome in (failed, failed, went_well, failed, failed):
        tally.note(first, outcome)
        assert tally.given_up == set()
    tally.note(first, failed)
    assert tally.given_up == {"usage"}


def test_a_bulk_that_fails_leaves_the_rest_of_its_blueprint(yard: Yard) -> None:
    tries = yard.connection.retry.tries
    yard.client.close()
    with PortClient(replace(yard.connection, concurrency=1)) as client:
        yard.client = client
        yard.stand_in.faults.add(Fault("500", path="/bulk", after=1, times=tries))
        yard.stage_usage(100)
        result = yard.push()
    assert result.blueprints == (counts("usage", created=80, failed=20),)
    (failure,) = failures(result)
    assert str(failure).startswith("20 entities of usage did not get to Port: Port answers 500")
    with PortClient(yard.connection) as client:
        yard.client = client
        assert sum(each.sent for each in [yard.push()]) == 20
    assert len(yard.held()) == 100


def test_a_forbidden_blueprint_is_asked_for_no_more_often_than_needed(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("403", path="/usage/", times=None))
    yard.stage(*usage(*names(400)), *cost("c"))
    result = yard.push()
    assert result.blueprints == (counts("cost", created=1), counts("usage", failed=400))
    assert {type(each.error) for each in failures(result)} == {ForbiddenError}
    assert sum("/usage/" in each.path for each in yard.bulks()) <= yard.client.concurrency
    assert yard.rows("SELECT count(*) FROM lading.pushed") == [(1,)]


def test_a_blueprint_that_is_gone_fails_its_entities_at_once(yard: Yard) -> None:
    del yard.stand_in.blueprints["usage"]
    yard.stage(*usage(*names(400)), *cost("c"))
    result = yard.push()
    assert result.blueprints == (counts("cost", created=1), counts("usage", failed=400))
    assert {type(each.error) for each in failures(result)} == {NotFoundError}
    assert sum("/usage/" in each.path for each in yard.bulks()) <= yard.client.concurrency


def test_wrong_credentials_stop_the_push_and_what_was_taken_stays_known(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("401", path="/bulk", after=3, times=None))
    yard.stage(*usage(*names(400)), *cost(*names(20, "c")))
    result = yard.push()
    assert not result.ok
    assert {type(each.error) for each in failures(result)} == {UnauthorizedError}
    taken = sum(each.created for each in result.blueprints)
    assert taken == 60 == len(yard.held())
    assert sum(each.failed for each in result.blueprints) == 360
    assert len(yard.bulks()) <= 3 + 2 * yard.client.concurrency
    yard.stand_in.faults.clear()
    assert sum(each.created for each in yard.push().blueprints) == 360


@pytest.mark.parametrize("kind", ["401", "403", "207"])
def test_a_refusal_after_an_answer_that_was_lost_says_nothing_of_what_port_has(
    yard: Yard, kind: str
) -> None:
    """The first try may have got through: what goes back to what it was is sent again."""
    yard.stage_usage(2, tokens=1)
    yard.push()
    yard.stand_in.faults.add(Fault("truncated", path="/bulk"))
    yard.stand_in.faults.add(Fault(kind, path="/bulk", every=1, times=None))
    yard.stage_usage(2, tokens=2)
    assert not yard.push().ok
    assert yard.held() == {"e0": 2, "e1": 2}
    yard.stand_in.faults.clear()
    yard.stage_usage(2, tokens=1)
    yard.push()
    assert yard.held() == {"e0": 1, "e1": 1}


def test_destinations_are_remembered_apart(yard: Yard, connect: Callable[..., Connection]) -> None:
    yard.stage_usage(3)
    yard.push()
    with PortClient(connect(integration="another")) as client:
        yard.client = client
        assert yard.push().blueprints == (counts("usage", created=3),)
        assert yard.push().blueprints == (counts("usage", unchanged=3),)
    assert yard.rows("SELECT count(DISTINCT destination), count(*) FROM lading.pushed") == [(2, 6)]


def test_the_database_is_closed_while_port_is_waited_for(yard: Yard) -> None:
    yard.stage_usage(60)
    script = "import sys, duckdb; duckdb.connect(sys.argv[1]).execute('CREATE TABLE t(i INT)')"
    ran: list[int] = []

    def write_from_elsewhere(entities: int) -> None:
        if not ran:
            command = [sys.executable, "-c", script, str(yard.database.path)]
            ran.append(subprocess.run(command, check=False).returncode)

    yard.on_progress = write_from_elsewhere
    yard.push()
    assert ran == [0]


def test_an_interrupted_push_goes_on_where_it_was(yard: Yard) -> None:
    yard.stage_usage(400)

    done: list[int] = []

    def interrupt(entities: int) -> None:
        done.append(entities)
        if sum(done) >= 100:
            raise KeyboardInterrupt

    yard.on_progress = interrupt
    with pytest.raises(KeyboardInterrupt):
        yard.push()
    assert 100 <= len(yard.sent()) < 400
    known = yard.rows("SELECT identifier FROM lading.pushed WHERE hash <> '' ORDER BY ALL")
    assert [name for (name,) in known] == sorted(yard.sent()) == sorted(yard.held())
    yard.on_progress = lambda entities: None
    with PortClient(yard.connection) as client:
        (again,) = replace(yard, client=client).push().blueprints
    # What a thread was about to send counts as on its way, and so as changed.
    assert (again.created + again.changed, again.unchanged) == (400 - len(known), len(known))
    assert set(yard.held()) == set(names(400))
    assert max(Counter(yard.sent()).values()) == 1


KILLED = """
import sys, json
from datetime import datetime, UTC
from pathlib import Path
from lading.http import RetryPolicy
from lading.port.client import PortClient, UpsertSettings
from lading.port.planning import Aim, draw_up
from lading.port.push import Way, push
from lading.project.documents import read_document
from lading.project.environment import Environment
from lading.project.model import Connection
from lading.warehouse.database import Database
from lading.warehouse.runs import Run

given = json.loads(sys.argv[1])
document = read_document("project.yml", "connections: {port: {}}")
written = given["written"]
connection = Connection("port", "port", document, written, Environment({}), 1, RetryPolicy())
run = Run("killed", "push", datetime.now(UTC))
with PortClient(connection) as client:
    database = Database(Path(given["path"]))
    with database.writing() as opened:
        draw_up(opened, Aim(client.destination, ["usage"]))
    push(database, run, client, Way({"usage": UpsertSettings()}, ["usage"]),
         lambda entities: print("a bulk", flush=True))
"""


def kill_after(yard: Yard, bulks: int) -> None:
    """Have another process push, and kill it while it waits for the answer to the next bulk."""
    yard.stand_in.faults.add(Fault("slow", path="/bulk", after=bulks, seconds=3600))
    written = {
        "base_url": yard.stand_in.base_url,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "integration": "claude",
    }
    given = json.dumps({"path": str(yard.database.path), "written": written})
    command = [sys.executable, "-c", KILLED, given]
    path = {"PYTHONPATH": str(Path(__file__).parents[3] / "cli")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=path) as child:
        assert child.stdout is not None
        for _ in range(bulks):
            assert child.stdout.readline() == b"a bulk\n"
        child.kill()


@pytest.mark.parametrize("tail", [b"", b'{"attempt": 4, "answered": [60, 6', b"{"])
def test_a_killed_push_loses_nothing_that_port_took(yard: Yard, tail: bytes) -> None:
    yard.stage_usage(100)
    kill_after(yard, bulks=3)
    (journal,) = yard.database.spool.glob("pushed-*")
    with journal.open("ab") as file:
        file.write(tail)
    before = len(yard.bulks())
    taken = yard.sent(yard.bulks()[:3])
    yard.stand_in.faults.clear()
    result = yard.push()
    assert result.ok
    assert not set(taken) & set(yard.sent(yard.bulks()[before:]))
    assert set(yard.held()) == set(names(100))
    assert yard.rows("SELECT count(*) FROM lading.pushed WHERE hash <> ''") == [(100,)]
    assert list(yard.database.spool.iterdir()) == []
    assert yard.push().blueprints == (counts("usage", unchanged=100),)


def test_what_a_killed_push_left_is_loaded_once_however_often_it_is_tried(yard: Yard) -> None:
    yard.stage_usage(100)
    kill_after(yard, bulks=2)
    kept = {path.name: path.read_bytes() for path in yard.database.spool.iterdir()}
    assert recover(yard.database) == 1
    once = yard.rows("FROM lading.pushed ORDER BY ALL")
    for name, content in kept.items():
        (yard.database.spool / name).write_bytes(content)
    assert recover(yard.database) == 1
    assert yard.rows("FROM lading.pushed ORDER BY ALL") == once
    assert recover(yard.database) == 0
    assert len(once) in {40, 60}  # the third may have been on its way


def test_an_outbox_that_was_never_sent_is_dropped(yard: Yard) -> None:
    yard.stage_usage(1)
    yard.database.spool.mkdir()
    (yard.database.spool / "outbox-dead.ndjson").write_bytes(b'{"ordinal":0,"act')
    (yard.database.spool / "pushed-dead.ndjson").write_bytes(b'{"run_id": "de')
    assert yard.push().blueprints == (counts("usage", created=1),)
    assert list(yard.database.spool.iterdir()) == []


def test_pages_that_wait_in_the_same_folder_stay_there(yard: Yard) -> None:
    yard.stage_usage(1)
    pages = yard.database.spool / "pages-run"
    pages.mkdir(parents=True)
    yard.push()
    assert list(yard.database.spool.iterdir()) == [pages]


@pytest.mark.parametrize("reset_as", ["seconds", "epoch"])
def test_a_rate_limit_is_kept_to_before_port_refuses(
    yard: Yard, lines: list[str], reset_as: Literal["seconds", "epoch"]
) -> None:
    """1,000 entities are 50 requests, and Port takes 20 in each period."""
    yard.stand_in.reset_as = reset_as
    yard.stand_in.rate_limit = RateLimit(20, 1.0)
    yard.stage_usage(1000)
    began = time.monotonic()
    assert yard.push().blueprints == (counts("usage", created=1000),)
    assert time.monotonic() - began > 1.5
    assert yard.held() == dict.fromkeys(names(1000), 1)
    assert len(yard.sent()) == 1000  # nothing twice: none was refused
    codes = [json.loads(line)["code"] for line in lines]
    assert 2 <= codes.count("rate_limit") <= 4
    assert "retry" not in codes


@pytest.mark.parametrize("reset", ["0", "1000000000", "86400", "9999999999", "soon", "nan", ""])
def test_a_reset_that_is_over_or_far_away_keeps_nobody_waiting(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, reset: str
) -> None:
    told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    monkeypatch.setattr(yard.stand_in, "_headers", lambda: told)
    yard.stage_usage(200)
    began = time.monotonic()
    assert yard.push().blueprints == (counts("usage", created=200),)
    assert time.monotonic() - began < 10
    assert len(yard.bulks()) == 10


def test_the_limit_of_tokens_is_not_that_of_entities(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([{"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}])
    monkeypatch.setattr(yard.stand_in, "_headers", lambda: next(told, {}))
    yard.stage_usage(40)
    began = time.monotonic()
    assert yard.push().blueprints == (counts("usage", created=40),)
    assert time.monotonic() - began < 8
