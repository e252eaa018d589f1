"""`lading debug`: one line for each thing that a sync needs, and what to do when it is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lading.sandbox.anthropic import WORKSPACE_KEY

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

LISTS = ("workspaces", "api_keys", "users", "organization")
REPORTS = ("usage_messages", "cost_report", "claude_code", *LISTS)


def lines(text: str) -> dict[str, str]:
    """How each thing is, by its name."""
    found = {}
    for line in text.splitlines():
        label, _, rest = line.strip().partition("  ")
        if label in {"OK", "ERROR"}:
            found[rest.strip().partition(":")[0]] = label
    return found


def test_all_is_well(desk: Desk) -> None:
    done = desk.run("debug")
    assert done.code == 0, done.out
    assert "34 models, 1 mapping file, 5 resources" in done.out
    assert lines(done.out) == {
        "files": "OK",
        "database": "OK",
        "anthropic": "OK",
        **{f"anthropic {name}": "OK" for name in REPORTS},
        "port": "OK",
    }
    assert "Sandbox Corp" in done.out
    assert "0 of 5 blueprints" in done.out
    assert desk.database.name in done.out
    assert done.err == ""


def test_it_writes_nothing(desk: Desk) -> None:
    before = set(desk.root.rglob("*"))
    desk.run("debug")
    assert set(desk.root.rglob("*")) == before
    assert desk.port.blueprints == {}
    assert all(
        request.method == "GET" or request.path.endswith("access_token")
        for request in desk.port.requests
    )
    assert len(desk.anthropic.requests) <= 8


def test_after_a_sync_the_database_and_the_blueprints_are_there(desk: Desk) -> None:
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-04")
    desk.run("sync")
    done = desk.run("debug")
    assert done.code == 0
    assert "5 of 5 blueprints" in done.out
    assert "MiB" in done.out
    assert "not there yet" not in done.out


def test_a_key_that_is_not_set(desk: Desk) -> None:
    done = desk.run("debug", environment={"ANTHROPIC_ADMIN_API_KEY": None})
    assert done.code == 1
    assert lines(done.out) == {"files": "OK", "database": "OK", "anthropic": "ERROR", "port": "OK"}
    assert "ANTHROPIC_ADMIN_API_KEY is not set" in done.out
    assert "export ANTHROPIC_ADMIN_API_KEY=" in done.out


def test_a_key_of_a_workspace(desk: Desk) -> None:
    done = desk.run("debug", environment={"ANTHROPIC_ADMIN_API_KEY": WORKSPACE_KEY})
    assert done.code == 1
    found = lines(done.out)
    assert {found[f"anthropic {name}"] for name in REPORTS} == {"ERROR"}
    assert found["port"] == "OK"
    assert "403" in done.out
    assert "Admin API key" in done.out
    assert WORKSPACE_KEY not in done.out + done.err


def test_a_key_that_anthropic_does_not_know(desk: Desk) -> None:
    done = desk.run("debug", environment={"ANTHROPIC_ADMIN_API_KEY": "sandbox-no-such-key"})
    assert done.code == 1
    assert "401" in done.out
    assert "sandbox-no-such-key" not in done.out + done.err


def test_a_report_that_the_key_may_not_read(desk: Desk) -> None:
    desk.anthropic.faults.add(desk.anthropic.faults.parse("403:path=cost_report,times=always"))
    done = desk.run("debug")
    assert done.code == 1
    found = lines(done.out)
    assert found["anthropic cost_report"] == "ERROR"
    assert found["anthropic usage_messages"] == found["anthropic claude_code"] == "OK"


def test_a_wrong_secret_of_port(desk: Desk) -> None:
    done = desk.run("debug", environment={"PORT_CLIENT_SECRET": "no-such-secret"})
    assert done.code == 1
    found = lines(done.out)
    assert found["port"] == "ERROR"
    assert found["anthropic"] == "OK"
    assert "401" in done.out or "credentials" in done.out
    assert "no-such-secret" not in done.out + done.err


@pytest.mark.parametrize(
    ("variable", "name"), [("ANTHROPIC_BASE_URL", "anthropic"), ("PORT_BASE_URL", "port")]
)
def test_a_server_that_is_not_there(desk: Desk, variable: str, name: str) -> None:
    # The discard port: nobody listens there.
    done = desk.run("debug", environment={variable: "http://127.0.0.1:9"})
    assert done.code == 1
    found = lines(done.out)
    assert found[name] == "ERROR"
    assert "127.0.0.1:9" in done.out
    assert "check base_url" in done.out
    # One more try and no more, and no report is asked for where nobody answers.
    assert done.err.count("again in") <= 1
    assert any(each.startswith("anthropic ") for each in found) == (name == "port")


def test_a_database_that_is_none(desk: Desk) -> None:
    desk.database.write_bytes(b"this is no database" * 1000)
    done = desk.run("debug")
    assert done.code == 1
    assert lines(done.out)["database"] == "ERROR"
    assert "Traceback" not in done.out + done.err
