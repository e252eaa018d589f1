"""No key, secret or token gets out of a run: not said, not written, not in the process list."""

from __future__ import annotations

import json
import signal
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import duckdb
import pytest

from lading.sandbox.server import Request, Response, json_response

if TYPE_CHECKING:
    from tests.engine.cli.faults.conftest import Relay, Start
    from tests.engine.conftest import Desk

# Made of characters that are written differently in a URL, in JSON and by Python.
ADMIN_KEY = 'adm+Vn7/Qz"Kw\\Tx4%Rb=Lm8'
CLIENT_ID = 'cid+Hd3/Yp"Gs\\Fj6%Nc=Wk2'
CLIENT_SECRET = 'sec+Ub5/Xo"Je\\Dv9%Ma=Zt1'
# So many characters of a secret in a row are a part of it and no chance.
PART = 10
PATIENCE = 60.0

RelayBefore = Callable[[Any], "Relay"]


def forms(secret: str) -> Iterator[str]:
    """Parts of a secret as it is, and all of it as it may be written elsewhere."""
    yield from (secret[start : start + PART] for start in range(len(secret) - PART + 1))
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1])
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(secret.encode()).decode().rstrip("=")


def assert_none(secrets: Iterable[str], text: str, where: str) -> None:
    found = {form for secret in secrets for form in forms(secret) if form in text}
    assert not found, f"{where} has {found}"


def the_tools_own(desk: Desk) -> None:
    """Have the stand-ins take those secrets; the desk gives them to the tool."""
    desk.anthropic.api_key = ADMIN_KEY
    desk.port.client_id, desk.port.client_secret = CLIENT_ID, CLIENT_SECRET


class Echo:
    """Servers that repeat in their errors what they were sent."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self._done: set[str] = set()

    def _first(self, what: str) -> bool:
        is_first = what not in self._done
        self._done.add(what)
        return is_first

    def as_anthropic(self, relay: Relay, request: Request, number: int) -> Response:
        key = request.headers["x-api-key"]
        name = request.path.rpartition("/")[2]
        if name == "me":
            return Response(307, b"", {"location": f"https://127.0.0.1/?key={quote(key, safe='')}"})
        said = f"not with {key}, {quote(key, safe='')}, {json.dumps(key)}"
        error = {"type": "error", "error": {"type": "some_error", "message": said}}
        if name == "cost_report":
            return json_response(400, error)
        if self._first(f"{name} in JSON"):
            return json_response(500, error)
        if self._first(f"{name} in plain text"):
            # Where a message is cut off after 200 characters, the cut goes through the key.
            return Response(503, b"-" * 188 + key.encode(), {"content-type": "text/plain"})
        return relay.pass_on(request)

    def as_port(self, relay: Relay, request: Request, number: int) -> Response:
        if request.path.endswith("access_token"):
            return self._token(relay, request)
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.tokens.add(token)
        if not request.path.endswith("/bulk"):
            return relay.pass_on(request)
        if self._first("bulk"):
            return json_response(500, {"ok": False, "error": token, "message": token})
        answer = json.loads(relay.pass_on(request).body)
        refused = answer["entities"].pop()
        error = {**refused, "statusCode": 422, "error": f"no {token}", "message": f"no {token}!"}
        return json_response(207, {**answer, "errors": [error]})

    def _token(self, relay: Relay, request: Request) -> Response:
        sent = json.loads(request.body)["clientSecret"].encode()
        if self._first("token in plain text"):
            return Response(503, b"-" * 188 + sent, {"content-type": "text/plain"})
        if self._first("token in a garbled answer"):
            return Response(200, b"-" * 88 + sent, {"content-type": "text/plain"})
        return relay.pass_on(request)


def run_alone(start: Start, *arguments: str, format: str) -> str:
    """Everything that a command says, at its most talkative, in a process of its own."""
    process = start(*arguments, "--log-level", "debug", "--log-format", format)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in {0, 1}, err
    return f"{out}\n{err}"


def run(desk: Desk, *arguments: str, format: str) -> str:
    """The same in this process."""
    done = desk.run(*arguments, "--log-level", "debug", "--log-format", format)
    assert done.code in {0, 1}, done.err
    return f"{done.out}\n{done.err}"


def test_servers_that_repeat_secrets_get_none_out(
    desk: Desk, start: Start, relay_before: RelayBefore
) -> None:
    the_tools_own(desk)
    echo = Echo()
    anthropic, port = relay_before(desk.anthropic), relay_before(desk.port)
    anthropic.meet, port.meet = echo.as_anthropic, echo.as_port
    said = [
        run_alone(start, "debug", format="text"),
        run_alone(start, "sync", format="json"),
        run(desk, "extract", format="text"),
        run(desk, "plan", format="json"),
        run_alone(start, "push", format="text"),
        run(desk, "query", "FROM lading.requests", format="text"),
        run(desk, "query", "FROM lading.refused", "--output", "json", format="json"),
        killed_while_it_pushes(desk, start, port, echo),
    ]
    # The servers did repeat them, and people were told.
    assert "redirects to https://127.0.0.1/?key=********" in said[0]
    assert "not with ********, ********, " in said[2]
    assert "no ********!" in said[4]
    assert "not with ********" in said[5]
    assert "no ********!" in said[6]
    secrets = (ADMIN_KEY, CLIENT_ID, CLIENT_SECRET, *echo.tokens)
    assert len(secrets) > 3
    for number, text in enumerate(said):
        assert_none(secrets, text, f"what command {number} said")
    files = [each for each in desk.root.rglob("*") if each.is_file()]
    names = {each.name.partition("-")[0] for each in files}
    assert {"claude.duckdb", "claude.duckdb.owner", "outbox", "pushed"} <= names
    for file in files:
        assert_none(secrets, file.read_bytes().decode("latin-1"), str(file))
    for table, text in rows(desk.database):
        assert_none(secrets, text, table)


def killed_while_it_pushes(desk: Desk, start: Start, port: Relay, echo: Echo) -> str:
    """A push that leaves its spool behind: what it said."""
    processes: list[subprocess.Popen[str]] = []
    seen: list[Request] = []

    def meet(relay: Relay, request: Request, number: int) -> Response:
        answer = echo.as_port(relay, request, number)
        seen.append(request)
        if sum(each.path.endswith("/bulk") for each in seen) == 3:
            processes[0].kill()
            processes[0].wait(PATIENCE)
        return answer

    port.meet = meet
    desk.edit("project.yml", "concurrency: 4", "concurrency: 1")
    processes.append(start("push", "--retry", "--log-level", "debug"))
    out, err = processes[0].communicate(timeout=PATIENCE)
    assert processes[0].returncode == -signal.SIGKILL
    return f"{out}\n{err}"


def rows(database: Path) -> Iterator[tuple[str, str]]:
    """All tables of the database as text: in the file they are compressed."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()")
        for schema, table in tables.fetchall():
            found = connection.execute(f"SELECT t::JSON::VARCHAR FROM {schema}.{table} AS t")
            text = "\n".join(row[0] for row in found.fetchall())
            yield f"{schema}.{table}", f"{text}\n{json.dumps(text)}"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are read in /proc")
def test_the_process_list_shows_none(desk: Desk, start: Start) -> None:
    the_tools_own(desk)
    title = """'"Claude Cost - " + .starting_at[:10]'"""
    slow = """(reduce range(8000000) as $n (0; $n) | tostring)"""
    desk.edit("mappings/claude.yml", title, slow)
    process = start("sync")
    try:
        assert process.stderr is not None
        assert any("mapped claude_usage_record" in line for line in process.stderr)
        workers = list(children(process.pid))
        shown = [(each / "cmdline").read_bytes().decode() for each in workers]
        environments = [(each / "environ").read_bytes() for each in workers]
        shown.append(Path(f"/proc/{process.pid}/cmdline").read_bytes().decode())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert environments
    assert set(environments) == {b""}
    for text in shown:
        assert_none((ADMIN_KEY, CLIENT_ID, CLIENT_SECRET), text, "a command line")


def children(pid: int) -> Iterator[Path]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            yield stat.parent


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("{{ env_var('ANTHROPIC_ADMIN_API_KEY') }}", "literal-admin-key", "api_key"),
        ("{{ env_var('PORT_CLIENT_SECRET') }}", "literal-secret", "client_secret"),
        ("_ADMIN_API_KEY')", "_ADMIN_API_KEY', 'literal-default')", "api_key"),
        ("{{ env_var('PORT_CLIENT_SECRET') }}", "literal{{ env_var('X') }}", "client_secret"),
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(
    desk: Desk, old: str, new: str, line: str
) -> None:
    desk.edit("project.yml", old, new)
    text = (desk.root / "project.yml").read_text("utf-8").splitlines()
    number = next(n for n, each in enumerate(text, start=1) if each.strip().startswith(line))
    done = desk.run("sync")
    assert done.code == 2
    assert f"project.yml:{number}:" in done.err
    assert "literal-" not in done.out + done.err
    assert desk.anthropic.requests == desk.port.requests == []
    assert not desk.database.exists()
