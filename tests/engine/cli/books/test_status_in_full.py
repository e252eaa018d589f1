"""`lading status` of books that have everything in them: written by hand, told in three ways."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.engine.cli.books.conftest import begin_in_february, status_in_json
from tests.engine.cli.test_markdown import cells

from lading.errors import DatabaseError, UserError
from lading.pipeline.context import open_context, working
from lading.project.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.conftest import Desk, MakeDesk

# An entity has not been sent, one was sent without an answer, one is old; Port has two that no
# mapping gives any more, and refuses twelve for as many reasons and four for one.
BOOKS = """
DELETE FROM lading.pushed WHERE blueprint = 'claude_cost_record'
    AND identifier = (SELECT min(identifier) FROM lading.pushed
        WHERE blueprint = 'claude_cost_record');
UPDATE lading.pushed SET hash = '' WHERE blueprint = 'claude_cost_record'
    AND identifier = (SELECT max(identifier) FROM lading.pushed
        WHERE blueprint = 'claude_cost_record');
UPDATE lading.pushed SET hash = 'old', pushed_at = '2026-02-05 16:00'
    WHERE blueprint = 'claude_usage_record'
    AND identifier = (SELECT max(identifier) FROM lading.pushed
        WHERE blueprint = 'claude_usage_record');
INSERT INTO lading.pushed SELECT destination, blueprint, 'gone-' || number, resource, hash, entity,
    '2026-02-05 14:00', run_id, NULL FROM range(2) AS numbers(number),
    (FROM lading.pushed WHERE blueprint = 'claude_cost_record' LIMIT 1);
INSERT INTO lading.refused SELECT destination, 'claude_model_usage', 'model-' || number, 'resource',
    'hash', 422, 'validation_error', 'reason | ' || number, '2026-02-05 15:31', 'run', NULL
    FROM range(10, 22) AS numbers(number),
    (SELECT min(destination) AS destination FROM lading.pushed);
INSERT INTO lading.refused SELECT destination, 'claude_usage_record', 'use-' || number, 'resource',
    'hash', NULL, 'unfit', 'usage is no number', '2026-02-05 15:31', 'run', NULL
    FROM range(4) AS numbers(number), (SELECT min(destination) AS destination FROM lading.pushed);
INSERT INTO lading.refused VALUES ('port.example/old/0', 'claude_cost_record', 'a', 'resource',
    'hash', 404, 'not_found', 'no such blueprint', '2026-01-01', 'run', NULL);
INSERT INTO lading.runs BY NAME
    SELECT 'run-' || number AS run_id, 'push' AS command, '1' AS version,
        TIMESTAMP '2026-02-05 16:00' + INTERVAL 1 HOUR * number AS started_at, 'done' AS status,
        started_at + INTERVAL 65 MINUTE AS ended_at, 0 AS exit_code, 5 AS entities, 0 AS refused,
        3 AS deleted
    FROM range(6) AS numbers(number);
UPDATE lading.runs SET status = 'died', ended_at = NULL, exit_code = NULL, entities = NULL,
    refused = NULL, deleted = NULL WHERE run_id = 'run-5';
INSERT INTO lading.restatements
    SELECT run, 'anthropic', 'usage_messages',
        json_object('path', '/', 'bucket_width', '1d', 'group_by', dimensions), day,
        day + INTERVAL 1 DAY, moment, 1, 1,
        [{'field': 'output_tokens', 'before': 1, 'after': 1 + 602 * (1 + day(day) % 2)}]
    FROM (VALUES ('young', TIMESTAMP '2026-02-04 10:00'), ('limit', '2026-01-01 15:30'),
        ('old', '2026-01-01 15:29')) AS runs(run, moment),
        (VALUES (TIMESTAMP '2025-12-10'), ('2025-12-11')) AS days(day),
        (VALUES (['model', 'workspace_id']), ([]::VARCHAR[])) AS views(dimensions);
"""


@pytest.fixture(scope="module")
def synced(make_desk: MakeDesk) -> Desk:
    """A project that pushed some days without trouble, and whose books then were changed."""
    desk = begin_in_february(make_desk().without_marts())
    done = desk.run("sync")
    assert done.code == 0, done.err
    with duckdb.connect(str(desk.database)) as connection:
        connection.execute(BOOKS)
    return desk


@pytest.fixture
def mine(synced: Desk, tmp_path: Path) -> Iterator[Desk]:
    """The same, to be written to."""
    kept = tmp_path / "kept.duckdb"
    shutil.copy(synced.database, kept)
    yield synced
    shutil.copy(kept, synced.database)


def test_what_port_holds_against_what_should_be_there(synced: Desk) -> None:
    status = status_in_json(synced)
    ours = {
        each["blueprint"]: {name: figure for name, figure in each.items() if figure}
        for each in status["port"]
        if each["destination"] != "port.example/old/0"
    }
    # Port took all there was: what it holds is what the plan had.
    planned = {name: len(synced.held(name)) for name in ours}
    assert sum(planned.values()) == len(synced.port.entities)
    figures = ("planned", "entities", "missing", "surplus", "different", "uncertain", "refused")
    cost, use = planned["claude_cost_record"], planned["claude_usage_record"]
    expected = {name: {"planned": number, "entities": number} for name, number in planned.items()}
    expected["claude_cost_record"] |= {"entities": cost + 1, "missing": 1}
    expected["claude_cost_record"] |= {"surplus": 2, "uncertain": 1}
    expected["claude_usage_record"] |= {"entities": use, "different": 1, "refused": 4}
    expected["claude_model_usage"] |= {"refused": 12}
    assert {
        name: {key: each[key] for key in figures if key in each} for name, each in ours.items()
    } == expected
    assert ours["claude_usage_record"]["pushed_at"] == "2026-02-05T16:00:00Z"
    (old,) = [each for each in status["port"] if each["destination"] == "port.example/old/0"][:1]
    everything = len(synced.port.entities)
    text = synced.run("status").out
    assert f") holds {everything - 1:,} of {everything:,} entities:\n" in text
    assert re.search(
        rf"^  claude_cost_record +{cost} +{cost + 1} +1 +0 +2 +1 +0  2026-02-05 15:30$", text, re.M
    )
    assert f"Port (port.example/old/0) holds 0 of {everything:,} entities:\n" in text
    assert (old["entities"], old["pushed_at"]) == (0, None)


def test_what_is_refused_and_why(synced: Desk) -> None:
    refused = status_in_json(synced)["refused"]
    models, uses = (f"model-{each}" for each in range(10, 22)), (f"use-{each}" for each in range(4))
    assert sorted(each["identifier"] for each in refused) == ["a", *models, *uses]
    assert {each["status"] for each in refused} == {404, 422, None}
    text = synced.run("status").out
    assert (
        "  claude_usage_record         4  not sent, unfit\n    usage is no number\n"
        "    use-0\n    use-1\n    use-2\n    and 1 more\n"
    ) in text
    assert "Refused by Port (port.example/old/0):\n" in text
    assert "and 3 other reasons; all of them: lading status --refused, lading query 'FROM" in text
    assert len(re.findall(r"^    reason \| \d+$", text, re.M)) == 9
    every = synced.run("status", "--refused").out
    named = re.findall(r"^    ((?:model|use)-\d+|a)$", every, re.M)
    assert sorted(named) == sorted(each["identifier"] for each in refused)
    assert "other reason" not in every


def test_what_runs_did_and_how_they_ended(synced: Desk) -> None:
    text = synced.run("status", "--runs", "3").out
    runs = text.partition("\n\n")[0].split("\n")[2:]
    assert runs == [
        "  2026-02-05 21:00  push     died                       0",
        "    has no end on record: it was killed",
        "  2026-02-05 20:00  push     done       0  1h 5m        0       5        0",
        "    3 entities deleted",
        "  2026-02-05 19:00  push     done       0  1h 5m        0       5        0",
        "    3 entities deleted",
    ]
    assert len(status_in_json(synced)["runs"]) == 5
    last = status_in_json(synced, "-n", "90")["runs"]
    assert [each["exit_code"] for each in last] == [None, 0, 0, 0, 0, 0, 0]
    assert [each["deleted"] for each in last] == [None, 3, 3, 3, 3, 3, 0]
    assert synced.run("status", "-n", "0").code == 2


def test_what_was_restated_lately(synced: Desk) -> None:
    # Two days moved by 602 and 1,204; both views of them tell the same, and count once.
    text = synced.run("status").out
    told = "    usage_messages 2 days (+1,806 output_tokens)\n"
    assert (
        "\n\nRestated in the last 35 days:\n"
        "  found             days\n"
        f"  2026-02-04 10:00  2025-12-10 to 2025-12-11\n{told}"
        f"  2026-01-01 15:30  2025-12-10 to 2025-12-11\n{told}"
        "figure by figure: lading query 'FROM lading.restatements'\n\n"
    ) in text
    found = status_in_json(synced)["restatements"]
    assert [(each["run_id"], each["slices"], each["moved"]) for each in found] == [
        (run, 2, {"output_tokens": "1806"}) for run in ("young", "young", "limit", "limit")
    ]
    assert (found[0]["starting_at"], found[0]["ending_at"]) == (
        "2025-12-10T00:00:00Z",
        "2025-12-12T00:00:00Z",
    )


def test_as_markdown_for_the_summary_of_a_job(synced: Desk) -> None:
    done = synced.run("status", "--output", "markdown")
    status = status_in_json(synced)
    assert (done.code, done.err) == (0, "")
    heading, *parts = re.split(r"^### (.+)\n\n", done.out, flags=re.M)
    assert heading == "## lading status of claude_usage (dev)\n\n"
    tables = {
        title: cells(body.partition("\n\n")[0])
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }
    texts = {title: [[text for text, _ in row] for row in rows] for title, rows in tables.items()}
    first = ["Last runs", "Freshness", "Closed days", "Missing, or asked for again"]
    assert list(texts)[:5] == [*first, "Restated in the last 35 days"]
    assert texts["Last runs"][1] == [
        *("2026-02-05 21:00", "push", "died", "", "", "0", "", ""),
        "has no end on record: it was killed",
    ]
    assert len(texts["Last runs"]) == 6
    assert [row[0] for row in texts["Freshness"][1:]] == [
        each["stream"] for each in status["freshness"]
    ]
    (refused,) = (rows for title, rows in texts.items() if title.startswith("Refused by Port (127"))
    assert refused[0] == ["blueprint", "entities", "answer", "reason"]
    assert ["claude_model_usage", "1", "422 validation_error", "reason | 10\nmodel-10"] in refused
    assert tables["Closed days"][1][1] == ("2026-02-01", "")


def test_books_of_an_older_lading_and_with_half_of_them_missing(mine: Desk) -> None:
    with duckdb.connect(str(mine.database)) as connection:
        connection.execute(
            "CREATE TABLE kept AS SELECT * EXCLUDE (exit_code, deleted) FROM lading.run_totals;"
            "CREATE OR REPLACE VIEW lading.run_totals AS FROM kept;"
            "DROP TABLE lading.restatements; DELETE FROM lading.entities;"
            "DELETE FROM lading.refused; DROP VIEW lading.plan"
        )
    without_keys = {"PORT_CLIENT_ID": None, "PORT_CLIENT_SECRET": None}
    done = mine.run("status", environment=without_keys)
    held = len(mine.port.entities) + 1
    assert (done.code, done.err) == (0, "")
    assert f") holds {held} entities; there was no plan yet:\n" in done.out
    assert "Nothing was restated" in done.out
    assert "Refused" not in done.out
    status = status_in_json(mine, environment=without_keys)
    assert {each["exit_code"] for each in status["runs"]} == {None}
    assert {each["planned"] for each in status["port"]} == {None}


def test_a_plan_before_the_first_push(mine: Desk) -> None:
    with duckdb.connect(str(mine.database)) as connection:
        connection.execute("DELETE FROM lading.pushed; DELETE FROM lading.refused")
    planned = len(mine.port.entities)
    told = re.search(r"^Port( \(\S+\))? holds 0 of (\S+) entities:$", mine.run("status").out, re.M)
    assert told is not None
    assert (bool(told[1]), told[2]) == (True, f"{planned:,}")
    nameless = mine.run("status", environment={"PORT_CLIENT_ID": None})
    assert f"\nPort holds 0 of {planned:,} entities:\n" in nameless.out
    assert "planned  held  missing  last pushed\n" in nameless.out


@pytest.mark.parametrize(
    ("fault", "code"),
    [(UserError("x"), 2), (DatabaseError("x"), 1), (KeyboardInterrupt(), 130), (ValueError(), 1)],
)
def test_the_exit_code_of_a_run_that_failed(mine: Desk, fault: BaseException, code: int) -> None:
    environment = Environment({**mine.environment})
    context = open_context(mine.root, now=mine.now, environment=environment)
    with pytest.raises(type(fault)), working(context, "push"):
        raise fault
    last = mine.query(
        "SELECT exit_code, status FROM lading.runs WHERE run_id NOT LIKE 'run-%' "
        "ORDER BY ended_at DESC LIMIT 1"
    )
    assert last == [(code, "failed")]
