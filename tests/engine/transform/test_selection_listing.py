from __future__ import annotations

import json

from lading.commands import listing
from lading.transform.nodes import Node, ResourceType


def node(resource_type: ResourceType, name: str, file: str, *reads: str) -> Node:
    return Node(f"{resource_type}.{name}", name, resource_type, file, reads, f"of {name}")


NODES = {
    each.id: each
    for each in (
        node("source", "harbour.arrivals", "sources/harbour.yml"),
        node("source", "harbour.cargo", "sources/harbour.yml"),
        node("model", "stg_arrivals", "models/staging/a.sql", "source.harbour.arrivals"),
        node("model", "stg_cargo", "models/staging/c.sql", "source.harbour.cargo"),
        node("model", "berths", "models/marts/b.sql", "model.stg_arrivals", "model.stg_cargo"),
        node("model", "staging", "models/marts/s.sql", "model.berths"),
        node("model", "calls", "models/marts/d.sql", "model.berths"),
        node("test", "no_ghosts", "tests/data/n.sql", "model.berths", "model.stg_cargo"),
        node("unit_test", "month ends, [new]", "tests/models/m.yml", "model.calls"),
        node("mapping", "calls", "mappings/calls.yml", "model.calls"),
    )
}


def test_a_line_is_the_term_of_a_node() -> None:
    assert listing.text(NODES, NODES) == [
        "source:harbour.arrivals",
        "source:harbour.cargo",
        "stg_arrivals",
        "stg_cargo",
        "berths",
        "model:staging",  # a folder goes by that name, too
        "model:calls",  # as does a mapping
        "test:no_ghosts",
        "unit_test:month?ends??[[]new]",
        "mapping:calls",
    ]


def test_lines_come_in_the_order_of_the_ids() -> None:
    assert listing.text(NODES, ["model.stg_cargo", "model.berths"]) == ["stg_cargo", "berths"]
    assert listing.text(NODES, []) == []


def test_a_json_line_holds_all_that_is_known_of_a_node() -> None:
    full = Node(
        "mapping.café",
        "café",
        "mapping",
        "mappings/c.yml",
        ("model.a", "model.b"),
        "c0ffee",
        tags=("x",),
        kinds=("port-call",),
        test_type="unit",
        materialized="view",
        attached_to="model.a",
        description="one\ntwo",
    )
    (line,) = listing.json_lines({full.id: full}, [full.id])
    assert "\n" not in line
    assert "café" in line
    assert json.loads(line) == {
        "id": "mapping.café",
        "name": "café",
        "resource_type": "mapping",
        "file": "mappings/c.yml",
        "depends_on": ["model.a", "model.b"],
        "checksum": "c0ffee",
        "tags": ["x"],
        "kinds": ["port-call"],
        "test_type": "unit",
        "materialized": "view",
        "attached_to": "model.a",
        "description": "one\ntwo",
    }


WHOLE = """\
source:harbour.arrivals
└── stg_arrivals
    └── berths
        ├── model:staging
        ├── model:calls
        │   ├── unit_test:month?ends??[[]new]
        │   └── mapping:calls
        └── test:no_ghosts
source:harbour.cargo
└── stg_cargo
    ├── berths (above)
    └── test:no_ghosts (above)
"""


def test_a_tree_leads_from_the_sources_down() -> None:
    assert listing.tree(NODES, NODES) == WHOLE.splitlines()


def test_a_tree_of_some_nodes_begins_with_what_reads_none_of_them() -> None:
    some = ["mapping.calls", "model.stg_cargo", "model.calls", "model.berths"]
    assert listing.tree(NODES, some) == [
        "stg_cargo",
        "└── berths",
        "    └── model:calls",
        "        └── mapping:calls",
    ]
    assert listing.tree(NODES, ["source.harbour.cargo", "model.calls"]) == [
        "source:harbour.cargo",
        "model:calls",
    ]
    assert listing.tree(NODES, []) == []


def test_a_deep_tree_is_no_deeper_than_it_may_be() -> None:
    chain = {
        f"model.m{step}": node(
            "model", f"m{step}", "models/m.sql", *([f"model.m{step - 1}"] * (step > 0))
        )
        for step in range(2000)
    }
    lines = listing.tree(chain, chain)
    assert len(lines) == 2000
    assert lines[-1].endswith("└── m1999")
