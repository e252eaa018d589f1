"""A project of one data file and three resources, and what a person may change of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

Key = tuple[str, str]
# Properties by name, relations by `>` and name.
Flat = dict[str, Any]

PROJECT = """\
name: shop
version: 1.0.0
target: dev
targets: {dev: {database: claude.duckdb, threads: 1}}
connections:
  port:
    base_url: "{{ env_var('PORT_BASE_URL') }}"
    client_id: "{{ env_var('PORT_CLIENT_ID') }}"
    client_secret: "{{ env_var('PORT_CLIENT_SECRET') }}"
    integration: shop
    concurrency: 1
    retry: {tries: 3, seconds: 10, first_wait: 0.001, longest_wait: 0.002}
"""
SOURCE = """\
sources:
  - name: shop
    files:
      - name: stock
        path: data/stock.csv
        columns:
          - {name: what}
          - {name: name}
          - {name: amount, data_type: 'DECIMAL(18, 2)'}
          - {name: colour}
          - {name: basket}
"""
MODEL = "select * from {{ source('shop', 'stock') }}\n"
BLUEPRINTS = {
    "fruit": """\
identifier: fruit
title: Fruit
schema:
  properties: {amount: {type: number}, colour: {type: string}, size: {type: number}}
relations:
  basket: {title: Basket, target: basket, required: true}
""",
    "basket": """\
identifier: basket
title: Basket
schema: {properties: {label: {type: string}}}
""",
}
RESOURCE = """\
  - name: {name}
    kind: stock_rows
    selector: {{query: '.what == "{name}"'}}
    port:
      entity:
        mappings:
          identifier: '"{prefix}" + .name'
          blueprint: '"{blueprint}"'
          properties:
{properties}
"""
RELATION = "          relations: {basket: .basket}\n"
EXPRESSIONS = {"amount": ".amount", "colour": ".colour", "size": "(.colour | length)"}
MADE_OF = {"fruits": "fruit", "nuts": "fruit", "baskets": "basket"}


@dataclass
class Row:
    amount: Decimal
    colour: str | None
    basket: str = "b0"


@dataclass
class Shop:
    """What the project's files say.

    mapped     of each resource that there is, the properties that its mapping names
    prefixes   what the identifiers of each resource begin with
    threshold  `entityDeletionThreshold`
    """

    rows: dict[Key, Row] = field(default_factory=dict)
    mapped: dict[str, frozenset[str]] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)
    threshold: float = 0.9

    @classmethod
    def opened(cls) -> Shop:
        """More nuts than a bulk has room for, and a few of the others."""
        rows = {("baskets", f"b{n}"): Row(Decimal(0), "brown") for n in range(2)}
        rows |= {("fruits", f"f{n}"): Row(Decimal(n), "red", f"b{n % 2}") for n in range(3)}
        rows |= {("nuts", f"n{n:02}"): Row(Decimal(n), None) for n in range(26)}
        both = frozenset(("amount", "colour"))
        mapped = {"fruits": both, "nuts": both, "baskets": frozenset(("label",))}
        return cls(rows, mapped, {"fruits": "", "nuts": "", "baskets": ""})

    def wanted(self) -> dict[Key, tuple[str, Flat]]:
        """What Port is to hold: resource and values, by blueprint and identifier."""
        return {
            (MADE_OF[what], self.prefixes[what] + name): (what, self._values(what, row))
            for (what, name), row in self.rows.items()
            if what in self.mapped
        }

    def _values(self, what: str, row: Row) -> Flat:
        if what == "baskets":
            return {"label": row.colour}
        known = {"amount": row.amount, "colour": row.colour, "size": len(row.colour or "")}
        return {name: known[name] for name in self.mapped[what]} | {">basket": row.basket}

    def lay_out(self, desk: Desk) -> None:
        """Write all files of the project."""
        desk.write("project.yml", PROJECT)
        desk.write("sources/shop.yml", SOURCE)
        desk.write("models/stock_rows.sql", MODEL)
        for name, text in BLUEPRINTS.items():
            desk.write(f"mappings/blueprints/{name}.yml", text)
        self.write(desk)

    def write(self, desk: Desk) -> None:
        """Write the data and the mapping."""
        lines = [
            f"{what},{name},{row.amount},{row.colour or ''},{row.basket}\n"
            for (what, name), row in self.rows.items()
        ]
        desk.write("data/stock.csv", "what,name,amount,colour,basket\n" + "".join(lines))
        head = f"entityDeletionThreshold: {self.threshold}\nresources:\n"
        desk.write("mappings/shop.yml", head + "".join(map(self._resource, sorted(self.mapped))))

    def _resource(self, what: str) -> str:
        expressions = {"label": ".colour"} if what == "baskets" else EXPRESSIONS
        lines = [f"            {name}: {expressions[name]}" for name in sorted(self.mapped[what])]
        text = RESOURCE.format(
            name=what,
            prefix=self.prefixes[what],
            blueprint=MADE_OF[what],
            properties="\n".join(lines),
        )
        return text if what == "baskets" else text + RELATION
