"""What Port shows of a run, and that whatever it does not take costs a warning and no more."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.cli.things import with_things

from lading.port import integration, teller
from lading.sandbox.faults import Fault
from lading.sandbox.port_integrations import Integrations

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

NAME = "lading-claude"
# As the two mapping files say it, without what only this tool knows, and with every setting.
SHOWN: dict[str, Any] = {
    "deleteDependentEntities": True,
    "createMissingRelatedEntities": True,
    "enableMergeEntity": False,
    "entityDeletionThreshold": 0.9,
    "resources": [
        {
            "kind": "things",
            "selector": {"query": ".number != 3"},
            "port": {
                "entity": {
                    "mappings": {
                        "identifier": ".name",
                        "blueprint": '"thing"',
                        "properties": {"amount": ".amount", "colour": ".colour"},
                    }
                }
            },
        },
        {
            "kind": "things",
            "selector": {"query": ".amount < 3"},
            "port": {
                "entity": {
                    "mappings": {
                        "identifier": ".name",
                        "blueprint": '"cheap_thing"',
                        "properties": {"amount": ".amount"},
                    }
                }
            },
        },
    ],
}


@pytest.fixture
def things(desk: Desk) -> Desk:
    """A project that syncs in no time."""
    return with_things(desk)


def paths(desk: Desk, method: str = "") -> list[str]:
    """The routes of an integration that were called, without what names it."""
    return [
        each.path.partition(NAME)[2]
        for each in desk.port.requests
        if f"/{NAME}" in each.path and each.method.startswith(method)
    ]


def last(told: Integrations) -> dict[str, dict[str, Any]]:
    """The documents of the resync that was told of last, by kind."""
    event = told.documents[-1]["eventId"]
    return {kind: each for (of, kind), each in told.metrics.items() if of == event}


def counted(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    """A document's counters by phase."""
    return {
        phase: {name: each["object_count"] for name, each in of["object_count_type"].items()}
        for phase, of in document["metrics"]["phase"].items()
        if "object_count_type" in of
    }


def warnings(err: str) -> list[str]:
    return [line for line in err.splitlines() if "warning: Port " in line]


def test_a_sync_is_shown_with_its_mapping_state_counts_and_rows(things: Desk) -> None:
    done = things.run("sync")

    told = things.port.integrations
    assert done.code == 0, done.err
    assert warnings(done.err) == []
    held = told.held[NAME]
    assert held["config"] == SHOWN
    assert (held["installationAppType"], held["changelogDestination"]) == ("lading", {})
    running, completed = told.states
    assert (running["status"], running["lastResyncEnd"]) == ("running", None)
    assert completed["status"] == "completed"
    assert completed["lastResyncStart"] == running["lastResyncStart"]
    began, ended = (
        datetime.fromisoformat(completed[key]) for key in ("lastResyncStart", "lastResyncEnd")
    )
    assert began < ended
    documents = last(told)
    assert {kind: each["syncState"] for kind, each in documents.items()} == dict.fromkeys(
        ("things-0", "things-1", "__runtime__", "__reconciliation__"), "completed"
    )
    assert [documents[f"things-{n}"]["blueprint"] for n in (0, 1)] == ['"thing"', '"cheap_thing"']
    # Worked out by hand from the seven rows.
    assert counted(documents["things-0"]) == {
        "extract": {"raw_extracted": 7, "failed": 0},
        "transform": {"transformed": 5, "filtered_out": 1, "failed": 1},
        "load": {"loaded": 5, "skipped": 0, "failed": 0},
    }
    assert counted(documents["things-1"]) == {
        "extract": {"raw_extracted": 7, "failed": 0},
        "transform": {"transformed": 2, "filtered_out": 5, "failed": 0},
        "load": {"loaded": 2, "skipped": 0, "failed": 0},
    }
    first = [each["syncState"] for each in told.documents[:4]]
    assert first == ["pending", "pending", "syncing", "pending"]
    assert [each["name"] for each in told.examples[NAME, "things"]] == [
        *("apple", "beet", "corn", "dill"),
        None,
    ]
    assert things.port.failures == []


def test_what_is_shown_already_is_not_sent_again_and_a_new_mapping_starts_no_resync(
    things: Desk,
) -> None:
    things.run("sync")
    things.forget_requests()
    assert things.run("push").code == 0
    assert things.sent() == []
    assert "/v1/integration" not in {each.path for each in things.port.requests}
    assert "/config" not in paths(things)
    assert counted(last(things.port.integrations)["things-0"])["load"] == {
        "loaded": 0,
        "skipped": 5,
        "failed": 0,
    }
    things.edit("mappings/things_cheap.yml", ".amount < 3", ".amount < 2")
    # One row more than Port would take.
    things.edit("models/things.sql", "'gage', 7, 'red'", "'gage', 8, 'blue'")
    assert things.run("push").code == 1
    told = things.port.integrations
    assert told.held[NAME]["config"]["resources"][1]["selector"] == {"query": ".amount < 2"}
    assert paths(things).count("/config") == 1
    assert told.requests == {}
    assert told.states[-1]["status"] == "failed"
    documents = last(told)
    assert {kind: each["syncState"] for kind, each in documents.items()} == {
        "things-0": "failed",
        "things-1": "completed",
        "__reconciliation__": "completed",
        "__runtime__": "failed",
    }
    assert counted(documents["things-0"])["load"] == {"loaded": 0, "skipped": 4, "failed": 1}


def test_rows_are_shown_without_secrets_and_only_if_they_may_be(things: Desk) -> None:
    things.edit(
        "models/things.sql",
        "select * from",
        "select *, 'sandbox-secret is in it' as note, 'anything' as api_key,\n"
        "    {'token': 'x', 'output_tokens': 7, 'mail': 'a@b.c'} as more from",
    )
    assert things.run("push", "-q").code == 0
    told = things.port.integrations
    row = told.examples[NAME, "things"][0]
    assert (row["note"], row["api_key"]) == ("******** is in it", "********")
    assert row["more"] == {"token": "********", "output_tokens": 7, "mail": "a@b.c"}
    told.examples.clear()
    text = (things.root / "mappings/things.yml").read_text("utf-8")
    things.write("mappings/things.yml", f"sendRawDataExamples: false\n{text}")
    assert things.run("push").code == 0
    assert told.examples == {}
    assert "sendRawDataExamples" not in told.held[NAME]["config"]


def test_port_shows_the_log_lines_whatever_stderr_does(things: Desk) -> None:
    things.edit("models/things.sql", "select *", "select *, 1 as more")
    things.edit("mappings/things.yml", "identifier: .name", "identifier: .name + $__loc__.file")
    done = things.run("push", "-q")
    assert " mapped " not in done.err
    lines = things.port.integrations.log_lines
    assert any(line["message"].startswith("mapped cheap_thing (things): 7 rows") for line in lines)
    assert {line["level"] for line in lines} <= {"INFO", "WARNING", "ERROR"}
    assert "ERROR" in {line["level"] for line in lines} or "WARNING" in {
        line["level"] for line in lines
    }
    (run,) = {line["extra"]["run_id"] for line in lines}
    assert things.query("SELECT run_id FROM lading.runs") == [(run,)]
    (event,) = {line["extra"]["event_id"] for line in lines}
    assert event == things.port.integrations.documents[-1]["eventId"]


REFUSED = {
    "/resync-state": "Port does not show the state of this run",
    "/ingest/metrics": "Port does not show the counters of this run",
    "/ingest/logs": "Port does not show the log lines of this run",
    "/examples": "Port has no new examples for its test of the mapping",
    "/v1/integration": "Port does not show this run",
}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        *((path, "403") for path in REFUSED),
        *(("/ingest/logs", "503"), ("/ingest/metrics", "reset")),
        *(("/v1/integration", "reset"), ("/v1/integration", "garbled")),
    ],
)
def test_what_port_does_not_take_is_one_warning(things: Desk, path: str, fault: str) -> None:
    things.port.faults.add(Fault(fault, path=path, times=None))
    done = things.run("sync")
    assert done.code == 0, done.err
    (said,) = warnings(done.err)
    assert REFUSED[path] in said
    tries = 1 if fault == "403" else 2
    assert sum(path in each.path for each in things.port.requests) == tries
    assert len(things.port.entities) == 7
    told = things.port.integrations
    if path != "/v1/integration":
        assert path == "/resync-state" or told.states[-1]["status"] == "completed"
        assert path == "/ingest/metrics" or last(told)["__runtime__"]["syncState"] == "completed"
        assert path == "/examples" or told.examples
        assert path == "/ingest/logs" or told.log_lines


def test_a_mapping_that_port_does_not_take_is_one_warning(things: Desk) -> None:
    things.run("push")
    things.edit("mappings/things_cheap.yml", ".amount < 3", ".amount < 2")
    things.port.faults.add(Fault("400", path="/config", times=None))
    done = things.run("push")
    assert done.code == 0
    (said,) = warnings(done.err)
    assert "Port does not show this mapping: Port answers 400" in said
    assert things.port.integrations.states[-1]["status"] == "completed"


def test_a_log_ingest_that_never_answers_holds_nothing_up(
    things: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "TIMEOUT_SECONDS", 0.3)
    things.port.faults.add(Fault("slow", path="/ingest/logs", times=None, seconds=60.0))
    began = time.monotonic()
    done = things.run("sync")
    assert done.code == 0
    assert time.monotonic() - began < 30
    (said,) = warnings(done.err)
    assert "log lines of this run: " in said
    assert "did not answer in time" in said
    assert things.port.integrations.states[-1]["status"] == "completed"


def test_what_port_is_slow_to_take_is_left_out_in_the_end(
    things: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "PATIENCE_SECONDS", 0.3)
    things.port.faults.add(Fault("slow", path="/v1/integration", times=None, seconds=60.0))
    began = time.monotonic()
    done = things.run("sync")
    assert done.code == 0
    assert time.monotonic() - began < 30
    assert len(things.port.entities) == 7
    assert "Port is slow to take what this run tells" in done.err


def test_the_token_goes_nowhere_in_the_clear(things: Desk) -> None:
    things.run("push")
    elsewhere = {"ingestUrl": "http://logs.example.org/ingest"}
    things.port.integrations.held[NAME]["logAttributes"] = elsewhere
    things.port.integrations.log_lines.clear()
    done = things.run("push")
    assert done.code == 0
    (said,) = warnings(done.err)
    assert "would send the token in the clear (http://logs.example.org)" in said
    assert things.port.integrations.log_lines == []


def test_heartbeats_tell_that_it_still_goes_on(
    things: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "FLUSH_SECONDS", 0.02)
    monkeypatch.setattr(teller, "BEAT_SECONDS", 0.1)
    things.port.faults.add(Fault("slow", path="/bulk", seconds=0.5))
    assert things.run("push").code == 0
    told = things.port.integrations
    assert len(told.heartbeats) >= 3
    assert set(told.heartbeats) == {told.documents[-1]["eventId"]}


def test_a_sync_that_is_stopped_is_shown_as_aborted(things: Desk) -> None:
    things.port.faults.add(Fault("slow", path="/bulk", seconds=2.0, times=None))
    process = things.start("push")
    until = time.monotonic() + 60
    while not any(each.path.endswith("/bulk") for each in things.port.requests):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    told = things.port.integrations
    assert [each["status"] for each in told.states] == ["running", "aborted"]
    assert {each["syncState"] for each in last(told).values()} == {"aborted"}


def test_a_report_that_fails_is_shown_at_the_kinds_that_need_it(desk: Desk) -> None:
    desk.without_marts()
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-04")
    desk.anthropic.faults.add(Fault("403", path="cost_report", times=None))
    assert desk.run("sync").code == 1
    told = desk.port.integrations
    assert [each["status"] for each in told.states] == ["running", "failed"]
    documents = last(told)
    states = {kind: each["syncState"] for kind, each in documents.items()}
    assert [kind for kind, state in states.items() if state == "failed"] == [
        "claude-cost-record-1",
        "__runtime__",
    ]
    cost = counted(documents["claude-cost-record-1"])
    assert cost["extract"] == {"raw_extracted": 0, "failed": 1}
    assert cost["load"] == {"loaded": 0, "skipped": 0, "failed": 0}
    assert json.loads(documents["claude-usage-record-0"]["blueprint"]) == "claude_usage_record"
    held = len(desk.held("claude_code_analytics"))
    assert counted(documents["claude-code-analytics-4"])["load"]["loaded"] == held > 0
