"""`extract`, `build`, `plan` and `push`, each by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

START = "2026-02-01"
KEYS = dict.fromkeys(("ANTHROPIC_ADMIN_API_KEY", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET"))


@pytest.fixture
def late(desk: Desk) -> Desk:
    """A project that asks for the first days of February alone."""
    desk.edit("mappings/claude.yml", "2026-01-01", START)
    return desk


def rows(desk: Desk, table: str) -> int:
    count: int = desk.query(f"SELECT count(*) FROM {table}")[0][0]
    return count


def test_extract_lands_and_goes_no_further(late: Desk) -> None:
    done = late.run("extract", environment={"PORT_CLIENT_ID": None, "PORT_CLIENT_SECRET": None})
    assert done.code == 0, done.err
    assert late.port.requests == []
    # Buckets of five days, grouped and not, four bills, and the records of five days.
    assert rows(late, "raw.usage_messages") == 2 * 5
    assert rows(late, "raw.cost_report") == 4
    records = sum(
        len(late.anthropic.organisation.code_records(each, late.now))
        for (each,) in late.query("SELECT DISTINCT starting_at::DATE FROM raw.claude_code")
    )
    assert records >= rows(late, "raw.claude_code") > 10
    assert rows(late, "duckdb_tables() WHERE schema_name = 'marts'") == 0
    assert "usage_messages" in done.out
    assert "model, workspace_id" in done.out


def test_extract_needs_a_key_and_says_which(late: Desk) -> None:
    done = late.run("extract", environment={"ANTHROPIC_ADMIN_API_KEY": None})
    assert done.code == 2
    assert "ANTHROPIC_ADMIN_API_KEY is not set" in done.err
    assert "project.yml:" in done.err
    assert late.anthropic.requests == []
    assert not late.database.exists()


def test_build_needs_no_key(late: Desk) -> None:
    late.run("extract")
    late.forget_requests()
    done = late.run("build", environment=KEYS)
    assert done.code == 0, done.err
    assert rows(late, "marts.usage_by_day") == 5
    assert late.anthropic.requests == []
    assert late.port.requests == []
    assert "Built 31 models; 0 failed, 0 skipped." in done.out


def test_build_leaves_the_sql_as_duckdb_gets_it(late: Desk) -> None:
    late.run("build")
    compiled = late.root / "target/compiled/models"
    written = {path.relative_to(late.root / "target/compiled") for path in compiled.rglob("*.sql")}
    models = {path.relative_to(late.root) for path in (late.root / "models").rglob("*.sql")}
    assert written == models
    text = (compiled / "marts/usage_by_day.sql").read_text("utf-8")
    assert "{{" not in text
    # It is SQL: DuckDB runs it as it stands.
    assert late.query(text) == late.query("FROM marts.usage_by_day")


def test_build_before_anything_has_landed_makes_empty_models(late: Desk) -> None:
    done = late.run("build", environment=KEYS)
    assert done.code == 0, done.err
    assert rows(late, "marts.usage_by_day") == 0


def break_costs(desk: Desk) -> None:
    """Have a model fail when it is made."""
    desk.edit(
        "models/staging/cost_results.sql",
        "{{ json_amount('result.amount') }}",
        "error('nothing of the kind')::DECIMAL(36, 15)",
    )


def test_a_model_that_fails_leaves_out_what_reads_it_and_no_more(late: Desk) -> None:
    late.run("sync")
    costs = late.query("FROM marts.cost_by_day ORDER BY ALL")
    break_costs(late)
    late.write("models/marts/words.sql", "select 'made all the same' as word\n")
    done = late.run("build")
    assert done.code == 1
    assert done.out.splitlines()[0] == "Built 1 model; 1 failed, 8 skipped, 22 up to date."
    lines = done.err.splitlines()
    [failed] = [line for line in lines if " ERROR " in line]
    assert "models/staging/cost_results.sql" in failed
    assert "nothing of the kind" in failed
    skipped = [line.partition(" SKIP ")[2] for line in lines if " SKIP " in line]
    readers = (
        *("cost", "cost_by_day", "cost_by_day_and_workspace", "cost_by_description"),
        *("cost_by_workspace_model_token_type", "cost_per_million_tokens", "focus_costs"),
        "workspace_spend_to_date",
    )
    assert sorted(line.partition(":")[0] for line in skipped) == sorted(
        f"table marts.{each}" for each in readers
    )
    assert "table marts.cost_by_day: 'cost_results' failed" in skipped
    assert late.query("FROM marts.words") == [("made all the same",)]
    # What was made last is still there.
    assert late.query("FROM marts.cost_by_day ORDER BY ALL") == costs


def test_what_a_failed_model_leads_to_is_not_pushed(late: Desk) -> None:
    break_costs(late)
    done = late.run("sync")
    assert done.code == 1
    assert "claude_cost_record" in done.err
    assert "could not be built" in done.err
    assert late.held("claude_cost_record") == {}
    assert len(late.held("claude_usage_record")) == 4  # one of the five days was idle
    assert late.query("SELECT status FROM lading.runs") == [("incomplete",)]


def test_plan_sends_nothing(late: Desk) -> None:
    late.run("extract")
    # Only what names the destination is needed of Port.
    done = late.run("plan", environment={**KEYS, "PORT_CLIENT_ID": "sandbox-client"})
    assert done.code == 0, done.err
    assert late.port.requests == []
    assert late.port.entities == {}
    assert rows(late, "lading.pushed") == 0
    planned = rows(late, "lading.plan WHERE action = 'create'")
    assert planned == rows(late, "lading.plan") > 20
    assert f"Plan: {planned} to create, 0 to change, 0 to delete, 0 unchanged" in done.out


def test_push_sends_what_the_plan_says(late: Desk) -> None:
    late.run("extract")
    late.run("plan")
    planned = set(late.query("SELECT blueprint, identifier FROM lading.plan"))
    late.forget_requests()
    done = late.run("push")
    assert done.code == 0, done.err
    assert late.anthropic.requests == []
    assert set(late.port.entities) == planned
    assert late.run("plan").out.endswith(
        f"Plan: 0 to create, 0 to change, 0 to delete, {len(planned)} unchanged, "
        "against what was pushed.\n"
    )


def test_plan_tells_changes_from_creations(late: Desk) -> None:
    late.run("sync")
    late.forget_requests()
    late.edit("mappings/claude.yml", '"Claude Cost - "', '"Cost - "')
    done = late.run("plan")
    costs = rows(late, "marts.cost_by_day WHERE amount > 0")
    (line,) = (line for line in done.out.splitlines() if line.startswith("  claude_cost_record "))
    assert line.split()[1:] == ["0", str(costs), "0", "0"]
    assert late.sent() == []
    # `lading query` shows it entity by entity.
    shown = late.run("query", "-o", "json", "FROM lading.plan WHERE action = 'change'")
    changed = json.loads(shown.out)
    assert {json.loads(each["entity"])["title"][:7] for each in changed} == {"Cost - "}
    assert len(changed) == costs
    late.run("push")
    assert {each["title"][:7] for each in late.sent()} == {"Cost - "}


def test_push_alone_builds_first(late: Desk) -> None:
    late.run("extract")
    done = late.run("push")
    assert done.code == 0, done.err
    assert len(late.port.entities) > 20
    assert rows(late, "marts.usage_by_day") == 5


def test_push_makes_missing_blueprints_and_leaves_others_alone(late: Desk) -> None:
    late.run("sync")
    made = {name: dict(body) for name, body in late.port.blueprints.items()}
    assert len(made) == 5
    late.edit("mappings/blueprints/claude_cost_record.yml", "icon: ", "icon: Not")
    late.now = late.now.replace(hour=20)
    late.forget_requests()
    assert late.run("sync").code == 0
    assert late.port.blueprints == made
    assert all(
        request.method == "GET" or "/entities" in request.path
        for request in late.port.requests
        if "/blueprints" in request.path
    )


def test_a_push_without_any_extraction_says_so(late: Desk) -> None:
    assert late.run("plan").out.endswith(
        "Plan: 0 to create, 0 to change, 0 to delete, 0 unchanged, against what was pushed.\n"
    )
    done = late.run("push")
    assert done.code == 0, done.err
    assert done.out == "Nothing to push: the mappings give no entity.\n"
    assert late.sent() == []


def test_runs_requests_and_slices_are_on_record(late: Desk) -> None:
    late.run("sync")
    # One that has nothing to do writes nothing, and is no run.
    late.run("build")
    late.run("build", "-B")
    assert late.query("SELECT command, status FROM lading.runs ORDER BY ended_at") == [
        ("sync", "done"),
        ("build", "done"),
    ]
    assert late.query("SELECT stream, count(*) FROM lading.requests GROUP BY ALL ORDER BY 1") == [
        ("api_keys", 1),
        ("claude_code", 5),
        ("cost_report", 1),
        ("organization", 1),
        ("usage_messages", 2),
        ("users", 1),
        ("workspaces", 1),
    ]
    assert late.query("SELECT DISTINCT status FROM lading.requests") == [("landed",)]
    closed = late.query(
        "SELECT stream, starting_at::DATE::VARCHAR FROM lading.slices "
        "WHERE closed AND hour(starting_at) = 0 ORDER BY ALL"
    )
    assert closed == [
        ("claude_code", "2026-02-01"),
        ("cost_report", "2026-02-01"),
        ("usage_messages", "2026-02-01"),
        ("usage_messages", "2026-02-01"),
    ]
    assert rows(late, "lading.slices") == 5 + 4 + 2 * 5 + 4


def test_a_report_that_was_fetched_since_is_pushed_whatever_its_runs_are_called(
    late: Desk,
) -> None:
    """Runs may begin in the same second; which of them was the last is known by the clock."""
    late.anthropic.faults.add(late.anthropic.faults.parse("403:path=cost_report"))
    assert late.run("extract").code == 1
    blocked = late.run("plan")
    assert blocked.code == 1
    assert "claude_cost_record is not pushed: cost_report could not be fetched" in blocked.err
    assert late.run("extract").code == 0
    with duckdb.connect(str(late.database)) as connection:
        connection.execute("UPDATE lading.requests SET run_id = 'z' WHERE status <> 'landed'")
    assert late.run("plan").code == 0
    assert rows(late, "lading.plan WHERE blueprint = 'claude_cost_record'") > 0
