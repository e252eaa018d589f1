"""A small project for what has nothing to do with reports: a model of values, two resources."""

from __future__ import annotations

from shutil import rmtree
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

MODEL = """\
{{ config(materialized='table') }}
select * from (values
    (0, 'apple', 1.5, 'green'),
    (1, 'beet', 2, 'red'),
    (2, 'corn', 3, 'green'),
    (3, 'dill', 4, 'green'),
    (4, null, 5, 'green'),
    (5, 'fig', 6, 'green'),
    (6, 'gage', 7, 'red')
) as rows(number, name, amount, colour)
"""
# Of seven rows the first resource leaves out one, and one gives no entity; the second has two.
MAPPING = """\
enableMergeEntity: false
resources:
  - kind: things
    name: all_of_them
    onDuplicate: last
    selector: {query: .number != 3}
    port:
      entity:
        mappings:
          identifier: .name
          blueprint: '"thing"'
          properties: {amount: .amount, colour: .colour}
"""
CHEAP = """\
resources:
  - kind: things
    selector: {query: .amount < 3}
    port:
      entity:
        mappings:
          identifier: .name
          blueprint: '"cheap_thing"'
          properties: {amount: .amount}
"""
BLUEPRINT = """\
identifier: thing
title: Thing
schema:
  properties:
    amount: {type: number}
    colour: {type: string, enum: [green, red]}
"""
CHEAP_BLUEPRINT = """\
identifier: cheap_thing
title: Cheap thing
schema: {properties: {amount: {type: number}}}
"""


def with_things(desk: Desk) -> Desk:
    """The desk with this project in place of the shipped one: nothing to fetch, little to build."""
    for folder in ("models", "mappings", "tests/models", "tests/mappings", "macros", "queries"):
        rmtree(desk.root / folder, ignore_errors=True)
    desk.write("models/things.sql", MODEL)
    desk.write("mappings/things.yml", MAPPING)
    desk.write("mappings/things_cheap.yml", CHEAP)
    desk.write("mappings/blueprints/thing.yml", BLUEPRINT)
    desk.write("mappings/blueprints/cheap_thing.yml", CHEAP_BLUEPRINT)
    return desk
