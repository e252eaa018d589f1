"""Whatever Port does: what it can take is there, what it did not take is told and sent again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from lading.sandbox.faults import Fault, Faults
from lading.sandbox.server import Request, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.cli.faults.conftest import State
    from tests.engine.conftest import Desk, Done

TOKEN = "/v1/auth/access_token"
NEITHER = "Port's answer has it in neither list: whether Port holds it is not known"
USAGE_BULK = "/v1/blueprints/claude_usage_record/entities/bulk"
USAGE_TOKENS = "(.results[0].output_tokens // 0)"

Settled = Callable[..., "Done"]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """What marts there are is of no account here."""
    return desk.without_marts()


def state_of(desk: Desk, clean: State) -> State:
    return type(clean).of(desk)


def retries(done: Done) -> list[dict[str, Any]]:
    """The retries that a command with --log-format json told of."""
    lines = (json.loads(line) for line in done.err.splitlines() if line.startswith("{"))
    return [line for line in lines if line["code"] == "retry"]


def bulks(desk: Desk) -> list[Request]:
    return [each for each in desk.port.requests if each.path.endswith("/bulk")]


def tokens_asked_for(desk: Desk) -> int:
    return sum(each.path == TOKEN for each in desk.port.requests)


def refused(desk: Desk) -> list[tuple[str, str]]:
    rows = desk.query("SELECT blueprint, identifier FROM lading.refused ORDER BY ALL")
    return [(blueprint, identifier) for blueprint, identifier in rows]


def counted(done: Done, column: str) -> dict[str, int]:
    """A column of the table that a push ends with, by blueprint."""
    lines = done.out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:1] == ["blueprint"])
    index = lines[start].split().index(column)
    rows = (line.split() for line in lines[start + 1 :] if line.startswith("  "))
    return {row[0]: int(row[index].replace(",", "")) for row in rows}


def without(clean: State, blueprint: str) -> dict[Any, Any]:
    """The entities of all other blueprints."""
    return {key: each for key, each in clean.entities.items() if key[0] != blueprint}


class Passing(NamedTuple):
    """A fault that requests with `path` in theirs get over, and the waits that follow in
    seconds."""

    path: str
    fault: Fault
    waits: tuple[float, float] = (0.0, 0.06)

    @classmethod
    def of(cls, path: str, kind: str, times: int = 2, **options: float) -> Passing:
        fault = Fault(kind, path=path, times=times, **options)  # type: ignore[arg-type]
        return cls(path, fault)


@pytest.mark.parametrize(
    ("reset_as", "faults"),
    [
        pytest.param(
            "epoch",
            (
                # Whole seconds, so that it is up to one more.
                Passing.of("cost_record/", "429", 1, reset=0.4)._replace(waits=(0.1, 1.4)),
                Passing.of("code_analytics/", "429", 1, retry_after=0.3)._replace(waits=(0.3, 0.3)),
                # The first is asked for by what Port is told of the run, and not here.
                Passing.of("access_token", "503", after=1),
            ),
            id="429 with a moment and with retry-after",
        ),
        pytest.param(
            "seconds",
            (
                Passing.of("cost_record/", "429", 1, reset=0.3)._replace(waits=(0.3, 0.3)),
                Passing.of("model_usage/", "429"),
                Passing.of("usage_record/", "503"),
                Passing.of("workspace_usage/", "reset"),
            ),
            id="429 with seconds and without",
        ),
        pytest.param(
            "epoch",
            (
                Passing.of("model_usage/", "truncated"),
                Passing.of("workspace_usage/", "garbled"),
                Passing.of("blueprints/claude_cost_record", "reset"),
                Passing.of("access_token", "garbled", after=1),
            ),
            id="broken bodies",
        ),
    ],
)
def test_faults_that_pass_are_told_and_cost_nothing(
    desk: Desk, clean: State, reset_as: Any, faults: tuple[Passing, ...]
) -> None:
    desk.port.reset_as = reset_as
    for each in faults:
        desk.port.faults.add(each.fault)
    done = desk.run("sync", "--log-format", "json")
    assert done.code == 0, done.err
    told = retries(done)
    for path, fault, (least, most) in faults:
        waits = [each["wait_seconds"] for each in told if path in each["path"]]
        assert len(waits) == fault.times, path
        assert all(least <= wait <= most for wait in waits), (path, waits)
    assert len(told) == sum(each.fault.times or 0 for each in faults)
    assert state_of(desk, clean) == clean


@pytest.mark.parametrize(("kind", "asked"), [("401", 2), ("expired", 3)])
def test_a_token_that_is_refused_in_the_middle_is_replaced_once(
    desk: Desk, clean: State, kind: str, asked: int
) -> None:
    desk.port.faults.add(Fault(kind, path="/bulk", after=9))
    done = desk.run("sync")
    assert done.code == 0, done.err
    # One more is asked for by what Port is told of the run; that, too, is replaced if it is dead.
    assert tokens_asked_for(desk) == asked + 1
    assert state_of(desk, clean) == clean


def test_tokens_that_are_always_refused_end_it_soon(
    desk: Desk, clean: State, settled: Settled
) -> None:
    desk.port.faults.add(Fault("401", path="/bulk", times=None))
    done = desk.run("sync")
    assert done.code == 1
    assert "Port refuses the token that it has just given" in done.err
    assert "check the client id and secret" in done.err
    assert desk.port.entities == {}
    assert len(bulks(desk)) <= 2 * 4
    assert tokens_asked_for(desk) <= 5
    desk.forget_requests()
    settled()
    assert len(desk.sent()) == len(clean.entities)


def test_wrong_credentials_end_it_with_what_to_do(desk: Desk, clean: State) -> None:
    done = desk.run("sync", environment={"PORT_CLIENT_SECRET": "no-such-secret"})
    assert done.code == 1
    assert "Port answers 401: unauthorized: Invalid credentials" in done.err
    assert "check the client id and secret" in done.err
    assert "no-such-secret" not in done.out + done.err
    assert desk.port.entities == {}
    assert state_of(desk, clean).raw == clean.raw
    assert desk.query("SELECT count(*) FROM lading.runs WHERE status = 'done'") == [(0,)]


def test_refused_entities_are_told_remembered_and_sent_again(
    desk: Desk, clean: State, settled: Settled
) -> None:
    desk.port.faults.add(Fault("unanswered", path="/claude_code_analytics/", every=19, times=None))
    desk.port.faults.add(Fault("207", path="/bulk", every=7, times=None))
    done = desk.run("sync")
    assert done.code == 1
    told = refused(desk)
    missing = sorted(clean.entities.keys() - desk.port.entities.keys())
    unanswered = sorted(set(told) - set(missing))
    assert len(missing) > 30
    assert len(unanswered) > 10
    assert {blueprint for blueprint, _ in unanswered} == {"claude_code_analytics"}
    assert told == sorted(missing + unanswered)
    assert desk.query("SELECT DISTINCT status, message FROM lading.refused ORDER BY ALL") == [
        (207, NEITHER),
        (422, "refused by a fault that is switched on"),
    ]
    names = tuple(f"error: {kind} '{name}' ({kind}): " for kind, name in told)
    lines = [line for line in done.err.splitlines() if line.startswith(names)]
    assert len(lines) == 10
    assert all(line.endswith((NEITHER, "refused by a fault that is switched on")) for line in lines)
    assert f"and {len(told) - 10} more: lading query 'FROM lading.refused'" in done.err
    assert counted(done, "refused") == {
        **dict.fromkeys(clean.counts(), 0),
        **Counter(blueprint for blueprint, _ in told),
    }
    desk.forget_requests()
    # What Port refused for what is in it waits until that changes, or somebody says so.
    desk.port.faults.clear()
    assert desk.run("push").code == 1
    assert sorted(each["identifier"] for each in desk.sent()) == sorted(
        name for _, name in unanswered
    )
    settled("--retry")
    sent = sorted(each["identifier"] for each in desk.sent())
    assert sent == sorted(name for _, name in told)


def test_a_blueprint_whose_bulks_fail_does_not_keep_the_others_back(
    desk: Desk, clean: State, settled: Settled
) -> None:
    desk.edit("project.yml", "tries: 5", "tries: 2")
    desk.port.faults.add(Fault("503", path=USAGE_BULK, times=None))
    done = desk.run("sync")
    assert done.code == 1
    assert "entities of claude_usage_record did not get to Port: Port answers 503" in done.err
    assert state_of(desk, clean).entities == without(clean, "claude_usage_record")
    settled()


def test_port_that_is_not_there_at_all_costs_nothing_that_had_landed(
    desk: Desk, clean: State, settled: Settled
) -> None:
    desk.edit("project.yml", "tries: 5", "tries: 2")
    desk.port.faults.add(Fault("reset", times=None))
    done = desk.run("sync")
    assert done.code == 1
    assert "Connection reset by peer" in done.err
    assert "Traceback" not in done.err
    assert state_of(desk, clean).raw == clean.raw
    desk.forget_requests()
    settled()
    assert len(desk.anthropic.requests) <= 20


def test_a_redirect_does_not_carry_the_token_to_another_host(desk: Desk) -> None:
    with StandIn("elsewhere", lambda request: json_response(200, {}), Faults()) as elsewhere:
        desk.port.faults.add(Fault("redirect", to=elsewhere.base_url, times=None))
        done = desk.run("sync")
        assert elsewhere.requests == []
    assert done.code == 1
    assert f"redirects to {elsewhere.base_url}" in done.err


def test_a_blueprint_deleted_in_port_is_made_anew_with_all_its_entities(
    desk: Desk, settled: Settled
) -> None:
    today = desk.now
    desk.now = today - timedelta(days=1)
    assert desk.run("sync").code == 0
    gone = "claude_workspace_usage"
    del desk.port.blueprints[gone]
    for key in [key for key in desk.port.entities if key[0] == gone]:
        del desk.port.entities[key]
    desk.now = today
    settled()


def test_entities_that_port_can_not_take_cost_themselves_alone(
    desk: Desk, clean: State, settled: Settled
) -> None:
    """`output_tokens` is a number in the blueprint, and a request has at most 1 MiB."""
    kept = (desk.root / "mappings/claude.yml").read_text("utf-8")
    number = f"output_tokens: {USAGE_TOKENS}"
    desk.edit("mappings/claude.yml", number, f"output_tokens: ({USAGE_TOKENS} | tostring)")
    title = """title: '"Claude Cost - " + .starting_at[:10]'"""
    long = """title: (if .starting_at[:10] == "2026-01-05" then "x" * 1048576 else "y" end)"""
    desk.edit("mappings/claude.yml", title, long)
    done = desk.run("sync")
    assert done.code == 1
    assert "refused, properties.output_tokens: " in done.err
    assert "row 0: '2026-01-01-usage' is \"" in done.err
    mine = {key for key in clean.entities if key[0] == "claude_usage_record"}
    large = ("claude_cost_record", "2026-01-05-cost")
    assert refused(desk) == sorted({large, *mine})
    assert desk.port.entities.keys() == clean.entities.keys() - set(refused(desk))
    ((message,),) = desk.query("SELECT message FROM lading.refused WHERE error = 'too_large'")
    assert "Port takes at most 1,048,576" in message
    assert len(done.err) < 20_000
    desk.write("mappings/claude.yml", kept)
    settled()
