"""What mappings send and blueprints lack is an error of the plan, once for each name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lading.commands.blueprint_report import blueprint_data, blueprint_lines, blueprint_markdown
from lading.mapping.files import Resource, read_mappings
from lading.mapping.workers import Workers
from lading.port.blueprint_files import read_blueprints
from lading.port.blueprint_needs import Sent, body_after, missing_properties, sent_by
from lading.port.blueprint_plan import BlueprintPlan, blueprint_plans
from lading.project.documents import read_document

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAPPING = """\
resources:
  - kind: a
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"usage"'
          properties:
            tokens: .tokens
            amount: .amount
            total: .total
            must: .must
            tokns: .tokens
            workspace: .workspace
          relations:
            workspace: .workspace
            tokens: .tokens
  - kind: b
    port:
      entity:
        mappings: {identifier: .id, blueprint: .blueprint, properties: {amount: .amount}}
"""
FILE = """\
identifier: usage
title: Usage
schema:
  properties:
    tokens: {type: number}
    amount: {type: number}
    must: {type: string}
  required: [must]
relations:
  workspace: {target: workspace}
"""
PORT: dict[str, Any] = {
    "identifier": "usage",
    "title": "Usage",
    "schema": {"properties": {"tokens": {"type": "number"}}, "required": []},
    "calculationProperties": {"total": {"type": "number", "calculation": "1"}},
}
OTHER = {"identifier": "other", "title": "Other", "schema": {"properties": {}}}


@pytest.fixture(scope="module")
def resources() -> tuple[Resource, ...]:
    document = read_document("mappings/claude.yml", MAPPING)
    with Workers(1) as workers:
        (file,), _ = read_mappings([document], None, NOW, workers)
    return file.resources


def plans_of(held: Mapping[str, Any]) -> tuple[BlueprintPlan, ...]:
    blueprints = read_blueprints([read_document("mappings/blueprints/usage.yml", FILE)])
    return blueprint_plans(blueprints, held)


def told(
    resource: Resource, held: Mapping[str, Any], extend: bool = False
) -> list[tuple[int | None, str, str]]:
    sent = sent_by(resource, ["usage", "other", "unheard"])
    found = missing_properties(sent, plans_of(held), held, extend)
    assert {each.severity for each in found} <= {"error"}
    return [
        (each.place.line if each.place else None, each.message, each.hint or "") for each in found
    ]


BLUEPRINT = "mappings/blueprints/usage.yml"
WORKED_OUT = (
    11,
    (
        "usage sends the property 'total', which is a calculation property of the blueprint"
        " 'usage': Port works it out, and takes no value"
    ),
    "take it out of the mapping",
)


def test_each_name_that_port_lacks_is_told_with_what_to_do(resources: tuple[Resource, ...]) -> None:
    adds = "--apply-blueprints adds it, as"
    assert told(resources[0], {"usage": PORT}) == [
        (
            10,
            "usage sends the property 'amount', which the blueprint 'usage' lacks in Port",
            f"{adds} {BLUEPRINT}:6:13 has it",
        ),
        WORKED_OUT,
        (
            12,
            "usage sends the property 'must', which the blueprint 'usage' lacks in Port",
            (
                f"{BLUEPRINT}:7:11 has it, but it is required, which entities that are there do not"
                " meet: add it in Port"
            ),
        ),
        (
            13,
            "usage sends the property 'tokns', which the blueprint 'usage' lacks in Port",
            f"add it to {BLUEPRINT}, or correct the mapping; did you mean 'tokens'?",
        ),
        (
            14,
            "usage sends the property 'workspace', which the blueprint 'usage' lacks in Port",
            f"add it to {BLUEPRINT}, or correct the mapping",
        ),
        (
            16,
            "usage sends the relation 'workspace', which the blueprint 'usage' lacks in Port",
            f"{adds} {BLUEPRINT}:10:14 has it",
        ),
        (
            17,
            "usage sends the relation 'tokens', which is a property of the blueprint 'usage'",
            "move it to `properties` of the mapping, or give it another name",
        ),
    ]


def test_what_will_be_added_is_not_lacking(resources: tuple[Resource, ...]) -> None:
    found = told(resources[0], {"usage": PORT}, extend=True)
    assert [line for line, *_ in found] == [11, 12, 13, 14, 17]
    moved = "which is a relation of the blueprint 'usage'"
    assert found[3][1:] == (
        f"usage sends the property 'workspace', {moved}",
        "move it to `relations` of the mapping, or give it another name",
    )


def test_a_blueprint_that_will_be_made_is_the_files(resources: tuple[Resource, ...]) -> None:
    found = told(resources[0], {})
    assert [line for line, *_ in found] == [11, 13, 14, 17]
    assert found[0][1:] == (
        "usage sends the property 'total', which the blueprint 'usage' lacks",
        f"add it to {BLUEPRINT}, or correct the mapping",
    )


def test_blueprints_that_an_expression_gives_are_looked_at_by_name(
    resources: tuple[Resource, ...],
) -> None:
    # `other` is in Port alone, and `unheard` nowhere, which is told elsewhere.
    found = told(resources[1], {"usage": PORT, "other": OTHER})
    assert [message for _, message, _ in found] == [
        "b sends the property 'amount', which the blueprint 'other' lacks in Port",
        "b sends the property 'amount', which the blueprint 'usage' lacks in Port",
    ]
    assert found[0][2] == "add it to the blueprint in Port, or correct the mapping"
    pair = Sent("b", "other", {"amount": None}, {})
    (problem,) = missing_properties([pair], (), {"other": OTHER})
    assert problem.place is None


def test_the_blueprint_as_it_will_be() -> None:
    (plan,) = plans_of({"usage": PORT})
    assert body_after(plan) == PORT
    after = body_after(plan, extend=True)
    assert list(after["schema"]["properties"]) == ["tokens", "amount"]
    assert after["relations"] == {"workspace": {"target": "workspace"}}
    (plan,) = plans_of({})
    assert list(body_after(plan)["schema"]["properties"]) == ["tokens", "amount", "must"]


def test_a_plan_as_lines_of_80_characters_as_markdown_and_as_data() -> None:
    odd = {**PORT, "title": "Use | `it` @all"}
    plans = (*plans_of({}), *plans_of({"usage": odd}))
    assert blueprint_lines(plans, extend=True) == (
        "+ blueprint usage (3 properties)",
        "~ blueprint usage: + property amount (number), + relation workspace (to",
        "    workspace)",
        "! blueprint usage differs: schema.properties.must is in",
        f"    {BLUEPRINT} alone, and not added: it is required, which",
        "    entities that are there do not meet; left alone",
        '! blueprint usage differs: title is "Use | `it` @all" in Port, Usage in',
        f"    {BLUEPRINT}; left alone",
    )
    assert blueprint_lines(plans)[1:3] == (
        "! blueprint usage lacks property amount (number), relation workspace (to",
        "    workspace); --apply-blueprints adds them",
    )
    assert blueprint_markdown(plans, extend=True)[::3] == (
        "- `+` blueprint `usage` (3 properties)",
        (
            '- `!` blueprint `usage` differs: title is "Use \\| \\`it\\` \\@all" in Port, Usage in '
            f"{BLUEPRINT}; left alone"
        ),
    )
    created, differs = json.loads(json.dumps(blueprint_data(plans)))
    assert created == {
        "blueprint": "usage",
        "file": BLUEPRINT,
        "action": "create",
        "additions": [],
        "differences": [],
    }
    assert differs["action"] == "differs"
    assert differs["additions"][0] == {
        "path": "schema.properties.amount",
        "kind": "property",
        "name": "amount",
        "definition": {"type": "number"},
    }
    assert differs["differences"][1] == {
        "path": "title",
        "project": "Usage",
        "port": "Use | `it` @all",
        "why": None,
        "line": 2,
    }
    assert blueprint_lines(plans_of({"usage": body_after(plans[0])})) == ()
