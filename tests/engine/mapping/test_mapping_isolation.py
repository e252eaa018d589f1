"""Expressions reach nothing but their row, and can neither stop nor outlive the run."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lading.errors import Bug, MappingError
from lading.mapping.evaluate import Faulty, Mapped, evaluate
from lading.mapping.process import MIB
from lading.mapping.workers import GUILTY_ROWS, Workers

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk


# Short enough to wait for, long enough for a process to do honest work on a busy machine.
SECONDS = 1.5
ENDLESS = {"properties": {"n": "if .bad then last(repeat(1)) else .n end"}}
HUGE = {"properties": {"n": 'if .bad then ("x" * (.n + 1e9) | length) else .n end'}}


@pytest.fixture
def brief_workers() -> Iterator[Workers]:
    with Workers(1, memory_limit=128 * MIB, time_limit=SECONDS) as workers:
        yield workers


def rows(count: int, *bad: int) -> list[str]:
    truth = ["false", "true"]
    return [f'{{"id":"{n}","n":{n},"bad":{truth[n in bad]}}}' for n in range(count)]


def is_gone(pid: int) -> bool:
    """Not running and not a zombie either."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("env | length", 0),
        ("$ENV | length", 0),
        ("env.PATH", None),
        ("$ENV.PATH", None),
        ("[env, $ENV] | tostring", "[{},{}]"),
        ("input", None),
        ("[inputs]", None),
        ("first(inputs)", None),
        ("input_line_number", None),
        ("halt", None),
        ("halt_error", None),
        ("halt_error(3)", None),
        ("get_search_list", None),
        ('"a" | modulemeta', None),
        ("input_filename", None),
        ("get_jq_origin, get_prog_origin", None),
        ("debug", {"id": "a", "n": 1}),
        ('.n | debug("note \\(.)")', 1),
        (".n | stderr", 1),
        ("0 | localtime | mktime", 0),
        ('0 | strflocaltime("%H %Z")', "00 UTC"),
        ("[limit(2; repeat(.n))]", [1, 1]),
        ("def halt: 5; halt", 5),
        ("error({__jq: 0})", None),
        ("label $out | 1, break $out", 1),
    ],
)
def test_an_expression_sees_its_record_and_no_more(
    expression: str, value: Any, mapping_desk: Desk
) -> None:
    resource = mapping_desk.resource({"properties": {"p": expression}})

    found = mapping_desk.entities(resource, [{"id": "a", "n": 1}, {"id": "b", "n": 2}])

    assert [each["identifier"] for each in found] == ["a", "b"]
    assert found[0]["properties"] == {"p": value}


@pytest.mark.parametrize(
    "expression",
    [
        'import "secret" as $s; $s',
        'import "secret" as $s {search: "/etc"}; $s',
        'include "secret"; .',
        '1) | (import "secret" as $s; $s',
        "module {}; .",
        "$__prog_args",
        ".n\u0000",
    ],
)
def test_modules_do_not_compile(expression: str, mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"properties": {"p": expression}})

    assert mapping_desk.entities(resource, [{"id": "a", "n": 1}])[0]["properties"] == {"p": None}
    assert "does not compile" in resource.program.text


def test_a_worker_has_an_empty_environment_and_opens_no_file(
    monkeypatch: pytest.MonkeyPatch, brief_workers: Workers
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_PARENT", "x")

    brief_workers.compile(["."])

    (pid,) = brief_workers.pids
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "Max open files            0" in limits
    assert f"Max address space         {128 * MIB}" in limits
    assert int(limits.split("Max cpu time")[1].split()[0]) <= SECONDS + 4


def test_jq_is_never_loaded_by_the_command_itself(mapping_desk: Desk) -> None:
    mapping_desk.entities(mapping_desk.resource({}), [{"id": "a"}])

    script = """if True:
        import sys
        from datetime import UTC, datetime
        from lading.mapping.evaluate import evaluate
        from lading.mapping.files import read_mappings
        from lading.mapping.workers import Workers
        from lading.project.documents import read_document
        port = "{entity: {mappings: {identifier: .id, blueprint: '\\"b\\"'}}}"
        document = read_document("m.yml", "resources: [{kind: k, port: %s}]" % port)
        with Workers(1) as workers:
            (file,), problems = read_mappings([document], None, datetime.now(UTC), workers)
            found = list(evaluate(file.resources[0], ['{"id":"a"}'], workers))
        print(problems, found[0].entity.text, "jq" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '() {"identifier":"a"} False'


@pytest.mark.parametrize(
    ("mappings", "message"),
    [
        (ENDLESS, f"the row takes longer than {SECONDS:g} s"),
        (HUGE, "the row needs more than 128 MiB of memory"),
    ],
    ids=["time", "memory"],
)
def test_a_guilty_row_is_named_and_the_others_go_on(
    mappings: dict[str, Any], message: str, mapping_desk: Desk, brief_workers: Workers
) -> None:
    resource = mapping_desk.resource(mappings)

    found = list(evaluate(resource, rows(40, 7), brief_workers, batch_rows=15))

    assert found[7] == Faulty(7, message)
    assert [each.position for each in found] == list(range(40))
    good = [each.entity.value()["properties"]["n"] for each in found if isinstance(each, Mapped)]
    assert good == [n for n in range(40) if n != 7]


def test_a_list_without_an_end_meets_the_bound_on_memory(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"properties": {"n": "[range(1e12)]", "m": ".n"}})

    with Workers(1, memory_limit=48 * MIB, time_limit=60) as workers:
        (found,) = evaluate(resource, rows(1), workers)

    assert found == Faulty(0, "the row needs more than 48 MiB of memory")


def test_a_resource_with_three_guilty_rows_is_given_up(
    mapping_desk: Desk, brief_workers: Workers
) -> None:
    resource = mapping_desk.resource(HUGE)

    with pytest.raises(MappingError) as raised:
        list(evaluate(resource, rows(30, 3, 4, 12, 13, 29), brief_workers, batch_rows=10))

    assert GUILTY_ROWS == 3
    assert "resource 'bp' is given up: the row needs more than 128 MiB" in raised.value.message
    assert "(rows 3, 4, 12, counted from 0)" in raised.value.message
    assert raised.value.place == resource.place
    assert raised.value.exit_code == 1


def test_what_was_found_before_a_resource_is_given_up_is_kept(
    mapping_desk: Desk, brief_workers: Workers
) -> None:
    outcomes = evaluate(mapping_desk.resource(HUGE), rows(9, 1, 3, 5), brief_workers)

    found = [next(outcomes) for _ in range(6)]

    assert [type(each) for each in found] == [Mapped, Faulty, Mapped, Faulty, Mapped, Faulty]
    with pytest.raises(MappingError):
        next(outcomes)


def test_the_next_resource_finds_working_workers(
    mapping_desk: Desk, brief_workers: Workers
) -> None:
    with pytest.raises(MappingError):
        list(evaluate(mapping_desk.resource(HUGE), rows(3, 0, 1, 2), brief_workers))

    found = list(evaluate(mapping_desk.resource({}), rows(3), brief_workers))

    assert [type(each) for each in found] == [Mapped] * 3


def test_a_worker_killed_from_outside_costs_nothing(
    mapping_desk: Desk, brief_workers: Workers
) -> None:
    resource = mapping_desk.resource({"properties": {"n": "[range(.n * 100)] | length"}})
    outcomes = evaluate(resource, rows(200), brief_workers, batch_rows=50)
    found = [next(outcomes)]

    for pid in brief_workers.pids:
        os.kill(pid, signal.SIGKILL)
    found += outcomes

    assert [type(each) for each in found] == [Mapped] * 200
    assert [each.position for each in found] == list(range(200))


def test_one_row_killed_from_outside_once_is_not_guilty(
    mapping_desk: Desk, brief_workers: Workers
) -> None:
    """The only row of a batch dies with its worker, and is given a second chance."""
    brief_workers.compile(["."])
    (first,) = brief_workers.pids
    os.kill(first, signal.SIGSTOP)
    outcomes = evaluate(mapping_desk.resource({}), rows(1), brief_workers)
    killer = threading.Thread(target=os.kill, args=(first, signal.SIGKILL))

    killer.start()
    found = list(outcomes)

    killer.join()
    assert [type(each) for each in found] == [Mapped]
    assert is_gone(first)
    assert first not in brief_workers.pids


def test_processes_start_when_they_are_needed(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({})
    with Workers(4) as workers:
        assert not workers.pids
        assert workers.compile([".", "]"])[0] == ""
        list(evaluate(resource, rows(10), workers))
        (first,) = workers.pids
        list(evaluate(resource, rows(900), workers, batch_rows=20))
        assert workers.pids == (first,)
        found = evaluate(resource, rows(5000), workers, batch_rows=20)
        assert [each.position for each in found] == list(range(5000))
        assert first in workers.pids
        assert 2 <= len(workers.pids) <= 4
        workers.rest()
        assert not workers.pids
        assert is_gone(first)
        assert len(list(evaluate(resource, rows(3), workers))) == 3


def test_workers_that_nobody_closed_leave_no_process() -> None:
    workers = Workers(1)
    assert workers.compile(["."]) == [""]
    (pid,) = workers.pids
    del workers
    assert is_gone(pid)


def test_no_process_is_left_whatever_ends_the_run(mapping_desk: Desk) -> None:
    """The interruption comes while a row runs that would go on for an hour."""
    resource = mapping_desk.resource(ENDLESS)
    before = set(threading.enumerate())
    pids: list[int] = []

    def interrupted() -> None:
        with suppress(KeyboardInterrupt), Workers(2, time_limit=3600) as workers:
            outcomes = evaluate(resource, rows(40, 10), workers, batch_rows=10)
            next(outcomes)
            pids.extend(workers.pids)
            raise KeyboardInterrupt

    run = threading.Thread(target=interrupted, daemon=True)
    run.start()
    run.join(timeout=60)

    assert not run.is_alive()
    assert pids
    assert all(is_gone(pid) for pid in pids)
    new = set(threading.enumerate()) - before
    assert [each for each in new if each.name.startswith("jq")] == []


def test_workers_that_are_closed_say_so(mapping_desk: Desk) -> None:
    with Workers(1) as workers:
        pass

    with pytest.raises((Bug, RuntimeError)):
        list(evaluate(mapping_desk.resource({}), rows(1), workers))


def test_an_orphan_in_an_endless_loop_ends_by_itself(mapping_desk: Desk) -> None:
    """The command is killed while its worker loops: the worker's own bound must end it."""
    program = mapping_desk.resource(ENDLESS).program.text
    script = f"""if True:
        from lading.mapping.process import MIB, Process
        process = Process(memory_limit=128 * MIB, time_limit=0.5)
        process.wait_until_ready()
        process._write({program!r}, ['{{"id":"a","bad":true}}'])
        print(process.pid, flush=True)
        input()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
    descriptor = os.pidfd_open(orphan)
    try:
        ended, _, _ = select.select([descriptor], [], [], 30)
    finally:
        os.close(descriptor)
    assert ended


def test_jq_that_can_t_be_started_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mapping_desk: Desk
) -> None:
    resource = mapping_desk.resource({})
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with Workers(1) as workers, pytest.raises(MappingError) as raised:
        list(evaluate(resource, rows(1), workers))

    assert "no process for JQ could be started: it ends the JQ process (exit status 1)" in str(
        raised.value
    )
