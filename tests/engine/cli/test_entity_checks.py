"""What Port would refuse is told with its row and not sent; what fits goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, MakeDesk

# A model of one's own as a kind: a row for each thing that can be wrong, and a good one.
MODEL = """\
{{ config(materialized='table') }}
select * from (values
    (0, 'good', 'a@b.c', 12.50, '2026-02-01T00:00:00Z', 'green'),
    (1, 'a b', 'a@b.c', 1, '2026-02-01T00:00:00Z', 'green'),
    (2, 'mail', 'nobody', 1, '2026-02-01T00:00:00Z', 'green'),
    (3, 'day', 'a@b.c', 1, '2026-02-01', 'green'),
    (4, 'colour', 'a@b.c', 1, '2026-02-01T00:00:00Z', 'blue'),
    (5, 'null', null, 1, '2026-02-01T00:00:00Z', 'green'),
    (6, 'day2', 'a@b.c', 1, '2026-02-02', 'green'),
    (7, 'day3', 'a@b.c', 1, '2026-02-03', 'green'),
    (8, 'day4', 'a@b.c', 1, '2026-02-04', 'green')
) as rows(number, name, email, amount, day, colour)
"""
MAPPING = """\
resources:
  - kind: things
    port:
      entity:
        mappings:
          identifier: .name
          blueprint: '"thing"'
          properties:
            email: .email
            amount: .amount
            day: .day
            colour: .colour
          relations:
            owner: .email
"""
BLUEPRINT = """\
identifier: thing
title: Thing
schema:
  properties:
    email: {type: string, format: user}
    amount: {type: number}
    day: {type: string, format: date-time}
    colour: {type: string, enum: [green, red]}
  required: [email]
relations:
  owner: {target: _user}
"""


@pytest.fixture(scope="module")
def shop(make_desk: MakeDesk) -> Desk:
    desk = make_desk()
    desk.port.blueprints["_user"] = {
        "identifier": "_user",
        "title": "User",
        "schema": {"properties": {}},
    }
    desk.write("models/marts/things.sql", MODEL)
    desk.write("mappings/claude.yml", MAPPING)
    desk.write("mappings/blueprints/thing.yml", BLUEPRINT)
    return desk


@pytest.fixture
def things(shop: Desk) -> Desk:
    """A project with a model, its mapping and its blueprint; nothing pushed yet."""
    shop.write("mappings/claude.yml", MAPPING)
    shop.write("mappings/blueprints/thing.yml", BLUEPRINT)
    shop.port.blueprints.pop("thing", None)
    shop.port.entities.clear()
    shop.forget_requests()
    shop.database.unlink(missing_ok=True)
    return shop


def counted(out: str) -> dict[str, str]:
    """The counts of the one blueprint."""
    lines = [line.split() for line in out.splitlines()]
    (headings,) = (line for line in lines if line[:1] == ["blueprint"])
    (row,) = (line for line in lines if line[:1] == ["thing"])
    return dict(zip(headings[1:], row[1:], strict=True))


NOBODY = 'is "nobody", not a user\'s e-mail address'
BLUE = 'is "blue", which is none of green, red'
REFUSED = {"a b", "mail", "day", "colour", "null", "day2", "day3", "day4"}


def test_a_plan_tells_what_port_would_refuse(things: Desk) -> None:
    done = things.run("plan")

    assert done.code == 1
    assert counted(done.out) == {
        "create": "1",
        "change": "0",
        "delete": "0",
        "unchanged": "0",
        "refused": "8",
    }
    told = [line.partition("error: ")[2] for line in done.err.splitlines() if "refused, " in line]
    assert told[0].startswith("thing: refused, identifier: 1 rows; row 1: 'a b' has \" \" in it")
    assert told[1:] == [
        "thing: refused, properties.email: 2 rows; row 2: 'mail' "
        + NOBODY
        + "; row 5: 'null' is null,"
        + " and the blueprint requires it",
        "thing: refused, properties.day: 4 rows; "
        + "; ".join(
            f"row {row}: '{name}' is \"{day}\", not a date and time (2026-01-31T00:00:00Z)"
            for row, name, day in (
                (3, "day", "2026-02-01"),
                (6, "day2", "2026-02-02"),
                (7, "day3", "2026-02-03"),
            )
        ),
        "thing: refused, properties.colour: 1 rows; row 4: 'colour' " + BLUE,
    ]
    assert things.sent() == []
    assert things.query(
        "SELECT identifier FROM lading.plan WHERE action = 'unfit' ORDER BY ALL"
    ) == [(name,) for name in sorted(REFUSED)]


def test_what_does_not_fit_is_not_sent_and_remembered(things: Desk) -> None:
    done = things.run("push")

    assert done.code == 1
    assert [each["identifier"] for each in things.sent()] == ["good"]
    assert things.held("thing")["good"]["amount"] == 12.5
    assert counted(done.out)["refused"] == "8"
    assert counted(done.out)["created"] == "1"
    refused = things.query("SELECT identifier, status, error FROM lading.refused ORDER BY ALL")
    assert refused == [(name, None, "unfit") for name in sorted(REFUSED)]
    assert "error: thing 'mail' (thing): properties.email is \"nobody\"" in done.err


def test_what_is_put_right_is_sent_and_forgotten(things: Desk) -> None:
    assert things.run("push").code == 1
    things.edit("mappings/claude.yml", ".name", '.number | "e\\(.)"')
    things.edit("mappings/claude.yml", "day: .day", 'day: .day[:10] + "T00:00:00Z"')
    things.edit("mappings/claude.yml", "colour: .colour", "colour: '\"red\"'")
    things.edit("mappings/claude.yml", "email: .email", "email: '\"a@b.c\"'")
    things.edit("mappings/claude.yml", "owner: .email", "owner: '\"a@b.c\"'")
    things.edit("mappings/claude.yml", "resources:", "entityDeletionThreshold: 1\nresources:")

    done = things.run("push")

    assert done.code == 0, done.err
    # The one that was there under its old name went.
    assert set(things.held("thing")) == {f"e{number}" for number in range(9)}
    assert things.query("FROM lading.refused") == []


def test_what_port_took_as_it_is_is_not_refused_afterwards(things: Desk) -> None:
    assert things.run("push").code == 1
    things.edit("mappings/blueprints/thing.yml", "{type: number}", "{type: string}")

    done = things.run("plan")

    assert counted(done.out)["unchanged"] == "1"
    assert counted(done.out)["refused"] == "8"


def test_a_blueprint_that_only_port_has_counts_too(things: Desk) -> None:
    (things.root / "mappings/blueprints/thing.yml").unlink()
    things.port.blueprints["thing"] = {
        "identifier": "thing",
        "title": "Thing",
        "schema": {
            "properties": {
                name: {"type": "string"} for name in ("email", "amount", "day", "colour")
            }
        },
        "relations": {"owner": {"target": "_user"}},
    }

    done = things.run("plan")

    assert done.code == 1
    assert counted(done.out)["refused"] == "9"
    assert "properties.amount: 9 rows; row 0: 'good' is 12.5, not a text" in done.err
    asked = [each.path for each in things.port.requests]
    assert asked[0] == "/v1/auth/access_token"
    assert "/v1/blueprints/thing" in asked
    assert len(asked) == len(set(asked))


def test_where_port_can_not_be_asked_only_identifiers_are_looked_at(things: Desk) -> None:
    (things.root / "mappings/blueprints/thing.yml").unlink()

    offline = things.run("plan", environment={"PORT_CLIENT_SECRET": None})
    unanswered = things.run("plan")

    assert counted(offline.out)["refused"] == "1"
    assert counted(unanswered.out)["refused"] == "1"


def test_an_entity_that_no_request_can_carry(things: Desk) -> None:
    things.edit(
        "mappings/claude.yml", ".colour", 'if .number == 0 then "x" * 1048576 else "red" end'
    )
    things.edit("mappings/blueprints/thing.yml", ", enum: [green, red]", "")

    done = things.run("push")

    assert "thing: refused, size: 1 rows; row 0: 'good' its JSON has " in done.err
    assert things.query("SELECT error FROM lading.refused WHERE identifier = 'good'") == [
        ("too_large",)
    ]
    assert "good" not in {each["identifier"] for each in things.sent()}


def test_a_relation_to_many_and_a_title_that_is_no_text(things: Desk) -> None:
    things.edit("mappings/claude.yml", "owner: .email", "owner: '[.email]'")
    things.edit(
        "mappings/claude.yml",
        "          properties:",
        "          title: .amount\n          properties:",
    )

    done = things.run("plan")

    assert counted(done.out)["refused"] == "9"
    assert "thing: refused, title: 9 rows; row 0: 'good' is 12.5, not a text" in done.err
    assert (
        "relations.owner: 9 rows; row 0: 'good' is [\"a@b.c\"], and the relation is to" in done.err
    )


def test_left_out_of_an_entity_that_replaces_what_port_has(things: Desk) -> None:
    things.edit("mappings/claude.yml", "            email: .email\n", "")
    merged = things.run("plan")
    things.edit("mappings/claude.yml", "resources:", "enableMergeEntity: false\nresources:")
    replaced = things.run("plan")

    assert "properties.email" not in merged.err
    assert "thing: refused, properties.email: 9 rows; row 0: 'good' is required" in replaced.err


# Numbers of a model's columns, and how they reach Port when no expression computes with them.
EXACT = """\
select
    'n' as name,
    9007199254740993::BIGINT as big,
    170141183460469231731687303715884105727::HUGEINT as huge,
    12345678901234567890.123456789012345678::DECIMAL(38, 18) as wide,
    0.1000::DECIMAL(4, 4) as fraction,
    -0.00000000000000000000000000000000000001::DECIMAL(38, 38) as least,
    '92.115000000000000000001' as text,
    {'amounts': [1.10::DECIMAL(30, 2), 12345678901234567890.25::DECIMAL(30, 2)]} as nested,
    map {'a': 9007199254740993.5::DECIMAL(20, 1)} as keyed,
    0.1::DOUBLE as double
"""
PROPERTIES = ("big", "huge", "wide", "fraction", "least", "nested", "keyed", "double")


def test_numbers_of_a_model_reach_port_to_the_last_digit(things: Desk) -> None:
    things.write("models/marts/exact.sql", EXACT)
    lines = [f"            {name}: .{name}\n" for name in PROPERTIES]
    lines.append("            from_text: .text | tonumber\n            computed: .big + 0\n")
    mapping, _, _ = MAPPING.replace("things", "exact").partition("            email:")
    things.write("mappings/claude.yml", mapping + "".join(lines))
    types = dict.fromkeys((*PROPERTIES, "from_text", "computed"), "{type: number}")
    types |= {"nested": "{type: object}", "keyed": "{type: object}"}
    schema = "".join(f"    {name}: {written}\n" for name, written in types.items())
    things.write(
        "mappings/blueprints/thing.yml",
        f"identifier: thing\ntitle: Thing\nschema:\n  properties:\n{schema}",
    )

    done = things.run("push")

    assert done.code == 0, done.err
    (bulk,) = (each for each in things.port.requests if each.path.endswith("/bulk"))
    assert bulk.body.decode() == (
        '{"entities":[{"identifier":"n","properties":{"big":9007199254740993,'
        '"huge":170141183460469231731687303715884105727,'
        '"wide":12345678901234567890.123456789012345678,"fraction":0.1,'
        '"least":-0.00000000000000000000000000000000000001,'
        '"nested":{"amounts":[1.1,12345678901234567890.25]},"keyed":{"a":9007199254740993.5},'
        '"double":0.1,"from_text":92.115000000000000000001,"computed":9007199254740992}}]}'
    )
    (things.root / "models/marts/exact.sql").unlink()
