"""What is to be sent, worked out in a real database file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from lading.port.ledger import (
    PlanCounts,
    duplicates,
    keep_plan_view,
    not_sent,
    plan_counts,
)
from lading.port.planning import Aim, draw_up
from lading.port.stage import EntityStage
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard

HERE, THERE = "here.io/claude/00000000", "there.io/claude/00000000"


def counts(
    yard: Yard, destination: str, resources: Sequence[str] = ("usage", "cost", "it's")
) -> list[PlanCounts]:
    with yard.database.writing() as connection:
        draw_up(connection, Aim(destination, resources))
        return list(plan_counts(connection))


def took(yard: Yard, destination: str, name: str, hash_of: str) -> None:
    """Have Port take an entity of `usage` with the hash of that entity's text."""
    with yard.database.writing() as connection:
        connection.execute(
            "INSERT INTO lading.pushed VALUES "
            "(?, 'usage', ?, 'usage', sha256(?), ?, '2026-03-01', 'r', NULL)",
            [destination, name, hash_of, hash_of],
        )


@pytest.mark.parametrize(
    "text",
    [
        '{"identifier":"e","properties":{"tokens":92.1150,"more":12345678901234567890.123}}',
        '{ "identifier" : "e",\n "title":"\\u00e9é\\"\\\\\\u0000 🚢" }',
        '{"identifier":"e","properties":{"text":"' + "x" * 2_000_000 + '"}}',
        '{"identifier":"e","properties":{"text":"' + "x" * 40_000_000 + '"}}',
        "null",
    ],
    ids=["numbers", "escapes", "large", "larger than DuckDB's own bound", "null"],
)
def test_texts_are_stored_to_the_letter(yard: Yard, text: str) -> None:
    yard.stage(("usage", "usage", "e", text), ("cost", "cost", "'\"ü", "1"))
    assert yard.rows("FROM lading.entities ORDER BY position") == [
        (
            "usage",
            "any",
            "usage",
            "e",
            0,
            yard.rows("SELECT hash FROM lading.entities ORDER BY position")[0][0],
            text,
            None,
        ),
        (
            "cost",
            "any",
            "cost",
            "'\"ü",
            1,
            "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
            "1",
            None,
        ),
    ]


def test_staging_again_replaces_what_was_there(yard: Yard) -> None:
    yard.stage_usage(3)
    yard.stage_usage(1)
    assert yard.rows("SELECT identifier FROM lading.entities") == [("e0",)]
    with EntityStage() as stage, yard.database.writing() as connection:
        assert stage.load(connection) == 0
    assert yard.rows("FROM lading.entities") == []


def test_each_entity_is_created_changed_or_left_alone(yard: Yard) -> None:
    yard.stage(
        ("usage", "usage", "new", "1"),
        ("usage", "usage", "changed", "2"),
        ("usage", "usage", "same", "3"),
        ("cost", "cost", "same", "3"),
    )
    took(yard, HERE, "changed", "0")
    took(yard, HERE, "same", "3")
    took(yard, HERE, "gone", "4")
    assert counts(yard, HERE) == [
        PlanCounts("cost", create=1),
        PlanCounts("usage", create=1, change=1, unchanged=1, kept=1),
    ]
    assert [each.to_send for each in counts(yard, HERE)] == [1, 2]


def test_destinations_have_nothing_to_do_with_each_other(yard: Yard) -> None:
    yard.stage(("usage", "usage", "e", "1"))
    took(yard, HERE, "e", "1")
    assert [each.unchanged for each in counts(yard, HERE)] == [1]
    assert [each.create for each in counts(yard, THERE)] == [1]
    assert [each.create for each in counts(yard, "it's elsewhere")] == [1]


def test_the_same_entity_from_several_rows_is_one(yard: Yard) -> None:
    yard.stage(
        ("usage", "usage", "e", "1"), ("usage", "usage", "e", "1"), ("cost", "usage", "e", "1")
    )
    assert [each.create for each in counts(yard, HERE)] == [1]
    assert [each.create for each in counts(yard, HERE, ["cost"])] == [1]
    with yard.database.reading() as connection:
        assert duplicates(connection) == ()


def test_only_what_the_named_resources_give_counts(yard: Yard) -> None:
    yard.stage(("usage", "usage", "e", "1"), ("it's", "cost", "f", "1"))
    assert [each.blueprint for each in counts(yard, HERE, ["it's"])] == ["cost"]
    assert counts(yard, HERE, []) == []


def test_an_identifier_with_two_contents_is_shown_with_both(yard: Yard) -> None:
    yard.stage(
        ("usage", "usage", "e", "1"),
        ("usage", "usage", "e", "1"),
        ("usage", "usage", "f", "1"),
        ("cost", "usage", "e", "2"),
        ("usage", "usage", "e", "3"),
        ("usage", "cost", "e", "4"),
    )
    with yard.database.reading() as connection:
        (found,) = duplicates(connection)
    assert (found.blueprint, found.identifier, found.rows) == ("usage", "e", 4)
    assert (found.first.resource, found.first.position, found.first.entity) == ("cost", 3, "2")
    assert (found.second.resource, found.second.position, found.second.entity) == (
        "usage",
        0,
        "1",
    )
    cost, usage = counts(yard, HERE)
    assert (cost.create, cost.conflicting) == (1, 0)
    assert (usage.create, usage.conflicting) == (1, 1)


def test_the_two_that_are_shown_differ(yard: Yard) -> None:
    yard.stage(*(("usage", "usage", "e", text) for text in ("1", "1", "1", "2")))
    with yard.database.reading() as connection:
        (found,) = duplicates(connection)
    assert (found.first.position, found.second.position) == (0, 3)


def test_a_conflict_stays_one_if_only_one_of_its_resources_is_asked_for(yard: Yard) -> None:
    yard.stage(("usage", "usage", "e", "1"), ("cost", "usage", "e", "2"))
    assert [each.conflicting for each in counts(yard, HERE, ["cost"])] == [1]


def test_no_more_duplicates_are_shown_than_asked_for(yard: Yard) -> None:
    yard.stage(*(("usage", "usage", f"e{number // 2}", str(number)) for number in range(10)))
    with yard.database.reading() as connection:
        assert [each.identifier for each in duplicates(connection, most=3)] == ["e0", "e1", "e2"]
        assert len(duplicates(connection)) == 5


def test_the_plan_can_be_queried(yard: Yard) -> None:
    yard.stage(("usage", "usage", "new", "1"), ("usage", "usage", "changed", "2"))
    took(yard, HERE, "changed", "0")
    with yard.database.writing() as connection:
        for destination in (THERE, HERE):
            draw_up(connection, Aim(destination, ["usage"]))
            keep_plan_view(connection, destination)
    assert yard.rows(
        "SELECT identifier, action, entity, pushed_entity FROM lading.plan ORDER BY ALL"
    ) == [("changed", "change", "2", "0"), ("new", "create", "1", None)]


def test_of_several_rows_the_first_or_the_last_may_count(yard: Yard) -> None:
    rows = [("usage", "usage", "e", text) for text in ("1", "2", "2", "3")]
    others = [("cost", "cost", "e", "1"), ("cost", "cost", "e", "2"), ("usage", "usage", "f", "1")]

    assert yard.stage(*rows, *others, first=["usage"]) == 3
    assert yard.rows("SELECT entity FROM lading.entities WHERE blueprint = 'usage'") == [
        ("1",),
        ("1",),
    ]
    assert yard.stage(*rows, *others, last=["usage"]) == 3
    kept = "SELECT entity FROM lading.entities WHERE identifier = 'e' ORDER BY blueprint, position"
    assert yard.rows(kept) == [("1",), ("2",), ("3",)]
    assert [each.conflicting for each in counts(yard, HERE)] == [1, 0]
    assert yard.stage(*rows, *others) == 0


def test_the_first_part_of_a_row_counts_before_its_others(yard: Yard) -> None:
    with EntityStage() as stage, yard.database.writing() as connection:
        prepare(connection, ())
        for text in ("1", "2", "3"):
            row = {"resource": "usage", "kind": "k", "blueprint": "usage", "identifier": "e"}
            stage.add(**row, position=7, hash=text, entity=text)
        assert stage.load(connection, last=["usage"]) == 2
    assert yard.rows("SELECT entity FROM lading.entities") == [("3",)]


def test_what_does_not_fit_is_neither_a_create_nor_a_change(yard: Yard) -> None:
    names = ("bad", "changed", "good", "same")
    yard.stage(
        *(("usage", "usage", name, f"{number}") for number, name in enumerate(names)),
        ("usage", "usage", "twice", "1"),
        ("usage", "usage", "twice", "2"),
        faults={"bad": "no", "changed": "no", "same": "no", "twice": "no"},
    )
    took(yard, HERE, "changed", "0")
    took(yard, HERE, "same", "3")
    assert counts(yard, HERE) == [
        PlanCounts("usage", create=1, unchanged=1, conflicting=1, unfit=2)
    ]
    with yard.database.reading() as connection:
        found = not_sent(connection, HERE)
    assert {each.error for each in found} == {"unfit"}
    assert [(each.identifier, each.message) for each in found] == [("bad", "no"), ("changed", "no")]


def test_a_table_of_an_older_version_is_made_anew(yard: Yard) -> None:
    with yard.database.writing() as connection:
        prepare(connection, ())
        connection.execute("ALTER TABLE lading.entities DROP COLUMN fault")
    yard.stage(("usage", "usage", "e", "1"), faults={"e": "no"})
    assert yard.rows("SELECT fault FROM lading.entities") == [("no",)]
