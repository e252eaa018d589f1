"""`lading debug`: one line for each thing that a sync needs, and what to do when it is not well."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lading.sandbox.anthropic import WORKSPACE_KEY
from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

LISTS = ("workspaces", "api_keys", "users", "organization")
REPORTS = ("usage_messages", "cost_report", "claude_code", *LISTS)
HERE = dict.fromkeys(("versions", "files", "project", "database"), "OK")
IN_PORT = dict.fromkeys(("port", "port blueprints", "port integration", "clock"), "OK")


def lines(text: str) -> dict[str, str]:
    """How each thing is, by its name."""
    found = {}
    for line in text.splitlines():
        label, _, rest = line.strip().partition("  ")
        if label in {"OK", "WARN", "ERROR"}:
            found[rest.strip().partition(":")[0]] = label
    return found


def test_all_is_well(desk: Desk) -> None:
    done = desk.run("debug")
    assert done.code == 0, done.out
    assert "34 models, 1 mapping file, 5 resources" in done.out
    assert lines(done.out) == {
        **HERE,
        "anthropic": "OK",
        **{f"anthropic {name}": "OK" for name in REPORTS},
        **IN_PORT,
    }
    assert "an Admin API key of the organisation Sandbox Corp" in done.out
    assert f"port: {desk.port.base_url} (no region of Port's), organisation Sandbox\n" in done.out
    assert "lading-claude is not there yet" in done.out
    versions = done.out.splitlines()[0]
    assert f"duckdb {version('duckdb')}, jq {version('jq')}, sqlglot" in versions
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
    assert "MiB, storage version v1.0.0" in done.out
    assert "lading-claude is registered" in done.out
    assert "not there yet" not in done.out


def test_a_key_that_is_not_set(desk: Desk) -> None:
    done = desk.run("debug", environment={"ANTHROPIC_ADMIN_API_KEY": None})
    assert done.code == 1
    assert lines(done.out) == {**HERE, "anthropic": "ERROR", **IN_PORT}
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
    assert done.out.count("the reports need an Admin API key") == 1
    assert WORKSPACE_KEY not in done.out + done.err


def test_a_key_that_anthropic_does_not_know(desk: Desk) -> None:
    done = desk.run("debug", environment={"ANTHROPIC_ADMIN_API_KEY": "sandbox-no-such-key"})
    assert done.code == 1
    assert "401" in done.out
    assert "the key begins like no key of Anthropic's" in done.out
    # To this key no report will say anything else.
    assert not [name for name in lines(done.out) if name.startswith("anthropic ")]
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


def test_a_key_is_told_by_how_it_begins_where_it_is_not_taken(desk: Desk) -> None:
    kinds = {"admin01": "an Admin API key", "api03": "the key of a workspace"}
    for begun, kind in kinds.items():
        key = f"sk-ant-{begun}-nobodys"
        done = desk.run("debug", environment={"ANTHROPIC_ADMIN_API_KEY": key})
        assert f"the key begins like {kind}" in done.out
        assert key not in done.out + done.err


Answer = Callable[[Request], Response]


def served(desk: Desk, answer: Answer, variable: str) -> str:
    """What debug says of a server that answers so."""
    with StandIn("server", answer, Faults()) as server:
        return desk.run("debug", environment={variable: server.base_url}).out


@pytest.mark.parametrize(
    ("off", "label", "said"),
    [
        (timedelta(seconds=30), "OK", "s behind that of anthropic"),
        (timedelta(minutes=-10), "WARN", "10m ahead of that of anthropic"),
        (timedelta(hours=3), "ERROR", "behind that of anthropic"),
    ],
)
def test_the_clock(desk: Desk, off: timedelta, label: str, said: str) -> None:
    def answer(request: Request) -> Response:
        date = format_datetime(datetime.now(UTC) + off, usegmt=True)
        status = 200 if request.path.endswith("/me") else 403
        return json_response(status, {"name": "x"}, {"date": date})

    out = served(desk, answer, "ANTHROPIC_BASE_URL")
    (line,) = [each for each in out.splitlines() if " clock: " in each]
    assert line.startswith(label)
    assert line.endswith(said)
    assert ("set this machine's clock" in out) == (label != "OK")


def test_what_the_token_says_of_us_and_what_it_may_not_see(desk: Desk) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"role": "Admin"}).encode()).decode().rstrip("=")
    token = {"ok": True, "accessToken": f"e30.{claims}.signed", "expiresIn": 60}

    def answer(request: Request) -> Response:
        if request.path.endswith("access_token"):
            return json_response(200, token)
        return json_response(403, {"ok": False, "error": "forbidden", "message": "no"})

    out = served(desk, answer, "PORT_BASE_URL")
    assert ", an organisation that it does not name, role Admin\n" in out
    assert lines(out)["port blueprints"] == "ERROR"
    assert lines(out)["port integration"] == "WARN"
    assert claims not in out


def test_an_integration_of_that_name_that_is_another_ones(desk: Desk) -> None:
    desk.port.integrations.held["lading-claude"] = {
        "installationId": "lading-claude",
        "installationAppType": "claude",
    }
    done = desk.run("debug")
    assert done.code == 1
    assert lines(done.out)["port integration"] == "ERROR"
    assert "another one's, of type claude" in done.out


def test_without_a_project_and_without_a_network(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = desk.call("debug")
    assert done.code == 2
    assert "there is no project.yml" in done.out
    assert "`lading init` lays one out" in done.out
    found = lines(done.out)
    assert (found["anthropic"], found["port"], found["versions"]) == ("OK", "OK", "OK")
    assert "database" not in found
    nowhere: dict[str, str | None] = {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "PORT_BASE_URL": "http://127.0.0.1:9",
    }
    done = desk.run("debug", environment=nowhere)
    assert done.code == 1
    assert lines(done.out) == {**HERE, "anthropic": "ERROR", "port": "ERROR", "clock": "WARN"}


def test_files_that_are_wrong_do_not_hide_the_rest(desk: Desk) -> None:
    desk.write("mappings/broken.yml", "resources: [")
    done = desk.run("debug")
    assert done.code == 2
    found = lines(done.out)
    assert found["files"] == "ERROR"
    assert "files: mappings/broken.yml:" in done.out
    assert "not readable as YAML" in done.out
    assert {**found, "files": "OK"} == {
        **HERE,
        "anthropic": "OK",
        **{f"anthropic {name}": "OK" for name in REPORTS},
        **IN_PORT,
    }
    desk.edit("project.yml", "connections:", "connection:")
    done = desk.run("debug")
    assert done.code == 2
    assert lines(done.out) == {"versions": "OK", "files": "ERROR"}


def test_a_database_that_another_process_holds_and_what_waits_for_it(desk: Desk) -> None:
    desk.write("claude.duckdb.spool/pages-1/a.note", "{}")
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(desk.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        done = desk.run("debug")
        holder.communicate("\n")
    assert done.code == 0
    assert lines(done.out)["database"] == "WARN"
    assert f"(process {holder.pid}); waited 1 s for it" in done.out
    assert "a run left something in claude.duckdb.spool" in done.out


def test_for_scripts(desk: Desk) -> None:
    done = desk.run("debug", "-o", "json", environment={"PORT_CLIENT_SECRET": None})
    told = json.loads(done.out)
    assert (done.code, told["well"]) == (1, False)
    assert {each["name"] for each in told["findings"] if each["state"] == "error"} == {"port"}
    assert all(each.keys() == {"name", "state", "said", "hint"} for each in told["findings"])
