"""`lading import`: mappings and blueprints of Port's own integrations become files that work."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.engine.cli.importing.conftest import HERE, give_port, shipped_blueprints

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk

CUSTOM = HERE / "custom.yml"
SEED = HERE.parent / "seed_default_mapping.yml"
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
PATHS = "/v1/organizations"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def files(root: Path) -> set[str]:
    folder = root / "mappings"
    return {each.relative_to(root).as_posix() for each in folder.rglob("*") if each.is_file()}


def save(path: Path, data: Any) -> str:
    path.write_text(json.dumps(data), "utf-8")
    return str(path)


def resource(kind: str, selector: dict[str, Any], **port: Any) -> dict[str, Any]:
    mappings = {"identifier": ".id", "blueprint": '"thing"'}
    return {"kind": kind, "selector": selector, "port": {"entity": {"mappings": mappings}, **port}}


def test_ports_default_mapping_stays_as_it_is(bare: Desk) -> None:
    done = bare.run("import", "--from", str(SEED))
    assert done.code == 0, done.err
    assert read(bare.root / "mappings/seed_default_mapping.yml") == read(SEED)
    assert "Took over 5 resources and 0 blueprints" in done.out
    compiled = bare.run("compile", "mapping:*")
    assert compiled.code == 0, compiled.err
    # The same programs on the same rows: whatever is planned is planned alike.
    bare.write("mappings/seed_default_mapping.yml", SEED.read_text("utf-8"))
    assert bare.run("compile", "mapping:*").out == compiled.out


def test_a_custom_integration_works_against_the_reports(bare: Desk, reckoning: Reckoning) -> None:
    save_blueprints(bare)
    done = bare.run("import", "--from", str(CUSTOM))
    assert done.code == 0, done.err
    assert "one day was asked for; here it is each day from 2026-02-03 on" in done.err
    made = read(bare.root / "mappings/custom.yml")
    assert made["createMissingRelatedEntities"] is False
    synced = bare.run("sync")
    assert synced.code == 0, synced.err
    assert "warning" not in synced.err

    held = bare.held("claude_usage_record")
    used = reckoning.usage(bare.now, first=FEBRUARY)
    # Its query lets days without any use through.
    by_day = {day.day: counts["output_tokens"] for (day,), counts in used.items()}
    assert {name: each["output_tokens"] for name, each in held.items()} == {
        f"2026-02-{day:02}-usage": by_day.get(day, 0) for day in range(1, 6)
    }
    held = bare.held("claude_cost_record")
    costs = reckoning.cost(bare.now, FEBRUARY)
    assert {name: each["amount"] for name, each in held.items()} == {
        f"{day}-cost": cents for day, cents in costs.items() if day < date(2026, 2, 4)
    }
    held = bare.held("claude_workspace_usage")
    used = reckoning.usage(bare.now, ["workspace_id"], first=FEBRUARY)
    assert {
        (name, each["workspace_id"], each["record_date"], each["web_search_requests"])
        for name, each in held.items()
    } == {
        (
            f"{workspace or 'default'}-{day:%Y-%m-%d}",
            workspace or "default",
            f"{day:%Y-%m-%d}T00:00:00Z",
            counts["web_search_requests"],
        )
        for (day, workspace), counts in used.items()
        if counts["output_tokens"] > 0
    }
    held = bare.held("claude_model_usage")
    used = reckoning.usage(bare.now, ["model", "service_tier"], first=FEBRUARY)
    assert {name: each["output_tokens"] for name, each in held.items()} == {
        f"{model or 'unknown'}:{tier or 'none'}:{day:%Y-%m-%d}": counts["output_tokens"]
        for (day, model, tier), counts in used.items()
    }
    held = bare.held("claude_code_analytics")
    assert {name: each["num_sessions"] for name, each in held.items()} == {
        f"{actor}-{day:%Y-%m-%d}": work["num_sessions"]
        for (day, actor), work in reckoning.code(bare.now).items()
        if work["actor_type"] == "user_actor" and f"{day:%Y-%m-%d}" >= "2026-02-03"
    }
    assert len(held) > 5
    people = bare.held("claude_user")
    wanted = {
        each["id"]: (each["name"], each["email"], each["added_at"][:19])
        for each in listed(bare, "users")
        if each["role"] != "billing"
    }
    assert {
        name: (each["title"], each["email"], each["joined"][:19]) for name, each in people.items()
    } == wanted
    assert len(wanted) > 5


def save_blueprints(desk: Desk) -> None:
    """Those of the starter, and one for people."""
    for identifier, body in shipped_blueprints().items():
        desk.write(f"mappings/blueprints/{identifier}.yml", yaml.safe_dump(body))
    properties = {each: {"type": "string"} for each in ("email", "joined", "label")}
    body = {"identifier": "claude_user", "title": "Person", "schema": {"properties": properties}}
    desk.write("mappings/blueprints/claude_user.json", json.dumps(body))


def listed(desk: Desk, name: str) -> list[dict[str, Any]]:
    """A list of the Admin API's, as the stand-in answers it."""
    import httpx

    headers = {"x-api-key": desk.anthropic.api_key, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=desk.anthropic.base_url, headers=headers, trust_env=False) as client:
        answer = client.get(f"{PATHS}/{name}", params={"limit": 1000})
        data: list[dict[str, Any]] = answer.json()["data"]
    return data


def test_from_the_running_port_by_its_id(bare: Desk) -> None:
    give_port(bare, read(SEED))
    bare.forget_requests()
    done = bare.run("import", "--integration", "my-claude")
    assert done.code == 0, done.err
    assert (
        "Took over 5 resources and 5 blueprints from the integration my-claude (claude)" in done.out
    )
    assert {each.method for each in bare.port.requests if "auth" not in each.path} == {"GET"}
    assert read(bare.root / "mappings/my-claude.yml") == read(SEED)
    written = {
        name: yaml.safe_load((bare.root / f"mappings/blueprints/{name}.yml").read_text())
        for name in shipped_blueprints()
    }
    assert written == shipped_blueprints()
    assert bare.run("compile").code == 0
    # Port has them just so: nothing to add, and nothing that differs.
    planned = bare.run("plan", "--against", "port")
    assert planned.code == 0, planned.err
    assert "blueprint" not in planned.out.partition("Plan:")[0]
    # Once more: what is there is not touched, and is not written over.
    before = {name: (bare.root / name).read_bytes() for name in files(bare.root)}
    again = bare.run("import", "--integration", "my-claude")
    assert again.code == 2
    assert "the import would overwrite" in again.err
    assert "mappings/my-claude.yml" in again.err
    other = bare.run("import", "--integration", "my-claude", "--name", "other", "-n")
    assert other.code == 0
    assert other.err.count("this makes entities of the blueprint") == 5
    assert yaml.safe_load(other.out) == yaml.safe_load(SEED.read_text())
    assert {name: (bare.root / name).read_bytes() for name in files(bare.root)} == before


def test_an_id_that_port_does_not_have(bare: Desk) -> None:
    give_port(bare, read(SEED))
    give_port(bare, {}, name="another")
    done = bare.run("import", "--integration", "my-cloud")
    assert done.code == 2
    assert done.err == (
        "error: Port has no integration 'my-cloud'\n    it has another, my-claude\n"
    )
    empty = bare.run("import", "--integration", "another")
    assert (empty.code, "has no mapping in Port" in empty.err) == (2, True)
    assert files(bare.root) == set()


def test_another_blueprint_of_the_same_name_is_no_ones_to_overwrite(desk: Desk) -> None:
    give_port(desk, read(SEED))
    desk.port.blueprints["claude_cost_record"] = {
        **shipped_blueprints()["claude_cost_record"],
        "title": "What Claude costs us",
    }
    before = files(desk.root)
    done = desk.run("import", "--integration", "my-claude")
    assert done.code == 2
    assert done.err.startswith(
        "mappings/blueprints/claude_cost_record.yml:1:13: error: the project has another blueprint"
    )
    assert files(desk.root) == before
    done = desk.run("import", "--integration", "my-claude", "--no-blueprints", "-n")
    assert done.code == 0, done.err


def test_exports_in_all_their_shapes(bare: Desk, tmp_path: Path) -> None:
    body = {**shipped_blueprints()["claude_cost_record"], "icon": None, "changelogDestination": {}}
    other = {
        **shipped_blueprints()["claude_usage_record"],
        "changelogDestination": {"type": "KAFKA"},
    }
    config = {"resources": read(SEED)["resources"][1:2], "$schema": "x"}
    config["resources"][0]["port"]["entity"]["mappings"]["operation"] = '"create"'
    export = {"ok": True, "integration": {"installationId": "x", "config": config}}
    done = bare.run(
        "import",
        *("--from", save(tmp_path / "one.json", {"ok": True, "blueprint": body})),
        *("--from", save(tmp_path / "costs.json", export)),
        *("--from", save(tmp_path / "more.json", {"blueprints": [other]})),
    )
    assert done.code == 0, done.err
    assert files(bare.root) == {
        "mappings/costs.yml",
        "mappings/blueprints/claude_cost_record.yml",
        "mappings/blueprints/claude_usage_record.yml",
    }
    text = (bare.root / "mappings/costs.yml").read_text()
    assert "# Without mappings.operation, which Port does not read." in text
    assert "without $schema" in done.err
    assert "blueprint 'claude_usage_record': without changelogDestination" in done.err
    assert bare.run("compile").code == 0


LEFT_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "no such kind": (resource("claude-usage-recrd", {}), "the project has no kind"),
    "enterprise": (resource("claude-ai-user-cost", {}), "Claude Enterprise"),
    "another endpoint": (
        resource(f"{PATHS}/invites", {"data_path": ".data[]"}),
        f"no source of the project has the endpoint {PATHS}/invites",
    ),
    "post": (
        resource(f"{PATHS}/cost_report", {"method": "POST", "data_path": ".data"}),
        "asked for with POST",
    ),
    "a body": (
        resource(f"{PATHS}/cost_report", {"body": "{}", "data_path": ".data"}),
        "its selector has body",
    ),
    "a moment that JQ works out": (
        resource(
            f"{PATHS}/usage_report/messages",
            {"query_params": {"starting_at": "now | todate"}, "data_path": ".data"},
        ),
        "starting_at is no moment, but now | todate",
    ),
    "a filter": (
        resource(
            f"{PATHS}/usage_report/messages",
            {
                "query_params": {"starting_at": "2026-02-01", "models[]": ["m"]},
                "data_path": ".data",
            },
        ),
        "the parameter models has no counterpart",
    ),
    "cost by workspace": (
        resource(
            f"{PATHS}/cost_report?group_by[]=workspace_id",
            {"query_params": {"starting_at": "2026-02-01"}, "data_path": ".data"},
        ),
        "is not grouped, and this is by workspace_id",
    ),
    "too many dimensions": (
        resource(
            f"{PATHS}/usage_report/messages",
            {
                "query_params": {
                    "starting_at": "2026-02-01",
                    "group_by": "model,workspace_id,api_key_id,service_tier,speed,account_id",
                },
                "data_path": ".data",
            },
        ),
        "5",
    ),
    "the page itself": (
        resource(f"{PATHS}/usage_report/messages", {"query_params": {"starting_at": "2026-02-01"}}),
        "its data_path, ., does not go through .data[]",
    ),
    "what no row has": (
        resource(f"{PATHS}/workspaces", {"data_path": ".data[]", "query": ".geo.in == 1"}),
        "`.geo.in == 1` reads geo, which the rows of workspace_records do not have",
    ),
    "a key among the parameters": (
        resource(f"{PATHS}/users?token=not-to-be-shown", {"data_path": ".data[]"}),
        "the parameter token has no counterpart",
    ),
    "no start": (
        resource(f"{PATHS}/usage_report/messages", {"data_path": ".data"}),
        "selector.startingDate is missing",
    ),
    "no JQ": (
        resource("claude-cost-record", {"startingDate": "2026-02-01T00:00:00Z", "query": ".a ++ "}),
        "selector.query: ",
    ),
    "a key of no kind": (
        resource("claude-cost-record", {"startingDate": "2026-02-01T00:00:00Z", "geo": 1}),
        "has no selector key 'geo'",
    ),
    "no mappings": ({"kind": "claude-cost-record"}, "it has no port.entity.mappings"),
    "no kind": ({"port": {}}, "it has no kind"),
    "split twice": (
        resource(
            f"{PATHS}/usage_report/messages",
            {"query_params": {"starting_at": "2026-02-01"}, "data_path": ".data[].results[]"},
            itemsToParse=".x",
        ),
        "splits what its data_path has split already",
    ),
}


def test_what_cannot_be_taken_over_is_listed_and_the_rest_is_there(
    bare: Desk, tmp_path: Path
) -> None:
    fine = read(SEED)["resources"][1]
    config = {"resources": [*(each for each, _ in LEFT_OUT.values()), fine]}
    (tmp_path / "many.yml").write_text(yaml.safe_dump(config, width=1000))
    done = bare.run("import", "--from", str(tmp_path / "many.yml"))
    assert done.code == 1
    reasons = [line for line in done.err.splitlines() if " is left out: " in line]
    for number, (name, (_, reason)) in enumerate(LEFT_OUT.items(), start=1):
        (said,) = [line for line in reasons if f"resource {number} (" in line]
        assert reason in said + done.err.partition(said)[2].split("\n")[1], name
        assert ": error: " in said
    assert f"{len(LEFT_OUT)} left out" in done.out
    assert "not-to-be-shown" not in done.out + done.err
    assert read(bare.root / "mappings/many.yml")["resources"] == [fine]
    assert bare.run("compile").code == 0


def test_nothing_is_written_where_nothing_is_left(bare: Desk, tmp_path: Path) -> None:
    config = {"resources": [resource("claude-ai-user-cost", {})]}
    done = bare.run("import", "--from", save(tmp_path / "all.json", config))
    assert (done.code, files(bare.root)) == (1, set())


def test_what_is_left_to_a_default_there_is_said_here(bare: Desk, tmp_path: Path) -> None:
    mappings = resource("claude-usage-record", {"query": "true"})
    first = mappings["port"]["entity"]["mappings"] | {"identifier": ".starting_at"}
    mappings["port"]["entity"]["mappings"] = [first, {**first, "blueprint": '"other"'}]
    done = bare.run(
        "import", "--from", save(tmp_path / "a.json", {"resources": [mappings]}), "--name", "mine"
    )
    assert done.code == 0, done.err
    assert "startingDate is 2025-01-01T00:00:00Z" in done.err
    made = read(bare.root / "mappings/mine.yml")["resources"]
    assert [each["port"]["entity"]["mappings"]["blueprint"] for each in made] == [
        '"thing"',
        '"other"',
    ]
    assert {each["selector"]["startingDate"] for each in made} == {"2025-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resources:\n  - kind: [a\n", "bad.yml:3:1: error: not readable as YAML"),
        ("resources: []\nresources: []\n", "bad.yml:2:1: error: the key 'resources' stands twice"),
        ("title: x\n", "bad.yml:1:1: error: this is neither a mapping nor a blueprint"),
        ("- 5\n", "bad.yml:1:3: error: this is neither a mapping nor a blueprint"),
        ("resources: []\n", "error: there is nothing to import in bad.yml"),
        ("identifier: 5\nschema: {}\n", "bad.yml:1:1: error: this is neither"),
        ("- resources: []\n- resources: []\n", "bad.yml:2: error: this is a second mapping"),
    ],
)
def test_files_that_are_none(bare: Desk, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.yml").write_text(text)
    done = bare.run("import", "--from", str(tmp_path / "bad.yml"))
    assert done.code == 2
    assert done.err.removeprefix(f"{tmp_path}/").startswith(said), done.err
    assert files(bare.root) == set()


def test_command_lines_that_are_none(bare: Desk) -> None:
    assert bare.run("import").code == 2
    assert bare.run("import", "--from", "a", "--integration", "b").code == 2
    missing = bare.run("import", "--from", "no-such-file.yml")
    assert (missing.code, "no-such-file.yml can't be read" in missing.err) == (2, True)
    unset: dict[str, str | None] = {"PORT_CLIENT_SECRET": None}
    no_key = bare.run("import", "--integration", "b", environment=unset)
    assert (no_key.code, "PORT_CLIENT_SECRET is not set" in no_key.err) == (2, True)
