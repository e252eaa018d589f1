from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import jq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.sandbox.organisation import Organisation
from lading.sandbox.port_blueprints import blueprint_fault
from lading.sandbox.reports import cost_results, usage_results
from lading.starter import files

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

STARTER = {str(name): path for name, path in files()}
SHIPPED = yaml.safe_load(STARTER["mappings/claude.yml"].read_text("utf-8"))["resources"]
DEFAULT = yaml.safe_load(Path(__file__).with_name("default_mapping.yml").read_text("utf-8"))[
    "resources"
]
USAGE, COST, BY_WORKSPACE, BY_MODEL, CODE = range(5)
# Port's rule for identifiers.
ACCEPTED = re.compile(r"[\w@.+:\\/='-]{1,1000}")
BLUEPRINTS = {
    body["identifier"]: body
    for name, path in STARTER.items()
    if name.startswith("mappings/blueprints/")
    for body in [yaml.safe_load(path.read_text("utf-8"))]
}
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, Decimal),
    "array": list,
}


@cache
def program(expression: str) -> Any:
    return jq.compile(f"(\n{expression}\n) | tojson")


def evaluate(expression: str, row: Json) -> Any:
    text = program(expression).input_text(json.dumps(row, default=str)).first()
    return json.loads(text, parse_float=Decimal)


def mapped(resources: list[Any], number: int, row: Json) -> Iterator[Json]:
    """The entities of a row (exact but for `default=str`, which makes text of decimals)."""
    resource = resources[number]
    mappings = resource["port"]["entity"]["mappings"]
    items = resource["port"].get("itemsToParse")
    records = [{**row, "item": each} for each in evaluate(items, row)] if items else [row]
    for record in records:
        if evaluate(resource["selector"]["query"], record) is True:
            yield {
                "identifier": evaluate(mappings["identifier"], record),
                "title": evaluate(mappings["title"], record),
                "blueprint": evaluate(mappings["blueprint"], record),
                "properties": {
                    name: evaluate(each, record) for name, each in mappings["properties"].items()
                },
            }


def actor_day(kind: str | None, email: str | None, key: str | None) -> Json:
    actor = {"type": kind, "email_address": email, "email": email, "api_key_name": key}
    return {"organization_id": "0-0", "date": "2026-11-18T00:00:00Z", "actor": actor}


def person(email: str) -> Json:
    return actor_day("user_actor", email, None)


def key(name: str) -> Json:
    return actor_day("api_actor", None, name)


def name_in(row: Json, resources: list[Any] = SHIPPED) -> str:
    """What stands for the actor in the identifier."""
    expression = resources[CODE]["port"]["entity"]["mappings"]["identifier"]
    identifier: str = evaluate(expression, row)
    assert ACCEPTED.fullmatch(identifier) or resources is DEFAULT
    assert identifier.startswith("0-0-")
    assert identifier.endswith("-2026-11-18")
    return identifier[4:-11]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in steps:
            yield from flat(inner, f"{path}/{step}")
    else:
        yield path, value


def test_it_is_the_default_but_for_what_it_says() -> None:
    shipped, default = dict(flat(SHIPPED)), dict(flat(DEFAULT))
    assert default.keys() <= shipped.keys()
    mappings = "port/entity/mappings"
    assert {path for path, value in shipped.items() if default.get(path) != value} == {
        f"/{COST}/{mappings}/properties/amount_usd",
        f"/{BY_MODEL}/{mappings}/identifier",
        f"/{BY_MODEL}/{mappings}/title",
        f"/{BY_MODEL}/{mappings}/properties/model",
        f"/{CODE}/{mappings}/identifier",
    }


@pytest.mark.parametrize(
    "row",
    [
        person("ana.ruiz@example.com"),
        person("o'neil+x_y@d.example.com"),
        key("ci/review-bot.2"),
        key("schlüssel"),
    ],
    ids=str,
)
def test_ordinary_actors_have_the_defaults_identifiers(row: Json) -> None:
    assert name_in(row) == name_in(row, DEFAULT)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (key("CI key #1"), "CI=20key=20=231"),
        (key("50% = half~"), "50=25=20=3D=20half=7E"),
        (key("=20"), "=3D20"),
        (key("ana@example.com"), "ana=40example.com"),
        (key("schlüssel/😀\n"), "schlüssel/=F0=9F=98=80=0A"),
        (key("a\\b"), "a\\b"),
        (person("o'neil+x@example.com"), "o'neil+x@example.com"),
        (person("two words@example.com"), "two=20words@example.com"),
        (actor_day("user_actor", None, None), "unknown"),
    ],
    ids=str,
)
def test_other_actors_are_escaped(row: Json, name: str) -> None:
    assert name_in(row) == name


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cn"]) | st.sampled_from("= %@:~#'+-/\\.\x00"),
    min_size=1,
    max_size=60,
)


@given(TEXT)
@settings(max_examples=200, deadline=None, database=None)
def test_a_keys_name_can_be_read_back(name: str) -> None:
    assert unquote(name_in(key(name)).replace("=", "%"), errors="strict") == name


ACTORS = st.one_of(TEXT.map(key), st.tuples(TEXT, TEXT).map("@".join).map(person))


@given(st.lists(ACTORS, min_size=2, max_size=20, unique_by=str))
@settings(max_examples=100, deadline=None, database=None)
def test_no_two_actors_share_an_identifier(actors: list[Json]) -> None:
    names = Counter(name_in(actor) for actor in actors)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("number", "dimension", "value", "identifier"),
    [
        (BY_WORKSPACE, "workspace_id", None, "default-2026-11-18"),
        (BY_WORKSPACE, "workspace_id", "wrkspc_01Ab", "wrkspc_01Ab-2026-11-18"),
        (BY_MODEL, "model", "claude-opus-4-6", "claude-opus-4-6-2026-11-18"),
        (BY_MODEL, "model", "claude-opus-4-6[1m]", "claude-opus-4-6=5B1m=5D-2026-11-18"),
        (BY_MODEL, "model", None, "unknown-2026-11-18"),
    ],
)
def test_workspaces_and_models(
    number: int, dimension: str, value: str | None, identifier: str
) -> None:
    row = {"starting_at": "2026-11-18T00:00:00Z", "results": [{dimension: value}]}
    (entity,) = mapped(SHIPPED, number, row)
    assert entity["identifier"] == identifier
    assert entity["properties"][dimension] == (
        value or {BY_MODEL: "unknown"}.get(number, "default")
    )


@pytest.fixture
def full(landing: Landing) -> Landing:
    """A month of an awkward organisation, all reports."""
    first = date(2026, 3, 1)
    days = [first + timedelta(days=n) for n in range(31)]
    organisation = Organisation(first_day=first, developers=25)

    def bucket(day: date, results: list[Json]) -> Json:
        end = day + timedelta(days=1)
        return {
            "starting_at": f"{day}T00:00:00Z",
            "ending_at": f"{end}T00:00:00Z",
            "results": results,
        }

    group_by = ("model", "workspace_id")
    landing.usage(
        (bucket(day, usage_results(organisation.usage_events(day), group_by, group_by))
         for day in days),
        *group_by,
    )  # fmt: skip
    landing.cost(bucket(day, cost_results(organisation.cost_lines(day), ())) for day in days)
    landing.code(record for day in days[:14] for record in organisation.code_records(day))
    landing.build()
    return landing


def entities(landing: Landing, resources: list[Any]) -> Iterator[Json]:
    for number, resource in enumerate(resources):
        selector = {key: value for key, value in resource["selector"].items() if key != "query"}
        for row in landing.rows(resource["kind"], **selector):
            yield from mapped(resources, number, row)


def test_every_entity_fits_its_blueprint_and_stands_alone(full: Landing) -> None:
    made = list(entities(full, SHIPPED))
    names = Counter((each["blueprint"], each["identifier"]) for each in made)
    assert [name for name, count in names.items() if count > 1] == []
    assert {blueprint for blueprint, _ in names} == BLUEPRINTS.keys()
    for each in made:
        assert ACCEPTED.fullmatch(each["identifier"])
        schema = BLUEPRINTS[each["blueprint"]]["schema"]
        assert each["properties"].keys() == schema["properties"].keys()
        for name, value in each["properties"].items():
            if name == "amount_usd":
                value = Decimal(value)
            assert isinstance(value, TYPES[schema["properties"][name]["type"]]), name


def test_the_default_works_unchanged(full: Landing) -> None:
    made = list(entities(full, DEFAULT))
    names = Counter((each["blueprint"], each["identifier"]) for each in made)
    assert [name for name, count in names.items() if count > 1] == []
    worked = [each["properties"] for each in made if each["blueprint"] == "claude_code_analytics"]
    records = [json.loads(each["payload"]) for each in full.table("raw.claude_code")]
    actors = {(*each["actor"].values(), each["date"]) for each in records}
    assert len(worked) == len(actors)
    assert sum(each["num_sessions"] for each in worked) == sum(
        each["core_metrics"]["num_sessions"] for each in records
    )
    assert {each["actor_name"] for each in worked} == {
        each["actor"].get("email_address") or each["actor"]["api_key_name"] for each in records
    }


def test_cents_and_dollars(landing: Landing) -> None:
    day = {"starting_at": "2026-11-18T00:00:00Z", "ending_at": "2026-11-19T00:00:00Z"}
    landing.cost([{**day, "results": [{"amount": "307.72680", "currency": "USD"}]}])
    landing.build()
    (row,) = landing.rows("claude-cost-record", startingDate="2026-01-01T00:00:00Z")
    (entity,) = mapped(SHIPPED, COST, row)
    assert entity["properties"]["amount"] == Decimal("307.7268")
    assert Decimal(entity["properties"]["amount_usd"]) == Decimal("3.077268")
    assert entity["properties"]["currency"] == "USD"


def test_the_blueprints_are_ports() -> None:
    assert {name: blueprint_fault(body) for name, body in BLUEPRINTS.items()} == dict.fromkeys(
        BLUEPRINTS
    )
    assert {body["identifier"] for body in BLUEPRINTS.values()} == {
        "claude_usage_record",
        "claude_cost_record",
        "claude_workspace_usage",
        "claude_model_usage",
        "claude_code_analytics",
    }


TOKENS = {
    "uncached_input_tokens": 1,
    "cache_read_input_tokens": 20,
    "cache_creation_5m_tokens": 300,
    "cache_creation_1h_tokens": 4000,
    "output_tokens": 50000,
    "web_search_requests": 600000,
}


@pytest.mark.parametrize(
    ("blueprint", "properties", "calculated"),
    [
        (
            "claude_usage_record",
            TOKENS,
            {"total_input_tokens": 4321, "total_tokens": 54321},
        ),
        ("claude_workspace_usage", TOKENS, {"total_tokens": 54321}),
        ("claude_model_usage", TOKENS, {"total_tokens": 54321}),
        (
            "claude_code_analytics",
            {
                "lines_added": 7,
                "lines_removed": 5,
                "edit_tool_accepted": 3,
                "edit_tool_rejected": 1,
            },
            {"total_lines_changed": 12, "edit_acceptance_rate": 75},
        ),
        (
            "claude_code_analytics",
            {
                "lines_added": 0,
                "lines_removed": 0,
                "edit_tool_accepted": 0,
                "edit_tool_rejected": 0,
            },
            {"total_lines_changed": 0, "edit_acceptance_rate": None},
        ),
        ("claude_cost_record", {"amount": 5}, {}),
    ],
)
def test_what_the_blueprints_calculate(blueprint: str, properties: Json, calculated: Json) -> None:
    found = BLUEPRINTS[blueprint]["calculationProperties"]
    entity = {"properties": properties}
    assert {
        name: evaluate(each["calculation"], entity) for name, each in found.items()
    } == calculated
