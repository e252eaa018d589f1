"""A project of a report and a data file, and what a person may change of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

    from lading.sandbox.organisation import Organisation

Key = tuple[str, str]
# Properties by name, relations by `>` and name.
Flat = dict[str, Any]

PROJECT = """\
name: shop
version: 1.0.0
target: dev
targets: {dev: {database: claude.duckdb, threads: 1}}
connections:
  anthropic:
    base_url: "{{ env_var('ANTHROPIC_BASE_URL') }}"
    api_key: "{{ env_var('ANTHROPIC_ADMIN_API_KEY') }}"
    version: '2023-06-01'
    retry: {tries: 2, seconds: 10, first_wait: 0.001, longest_wait: 0.002}
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
  - name: claude
    connection: anthropic
    streams:
      - name: usage_messages
        path: /v1/organizations/usage_report/messages
        iterate: window
        params: {bucket_width: [1d], group_by: {max: 5, values: [model]}}
        page_size: {1d: 31}
        lookback: 3d
        extracts: [{group_by: [], start: '2026-02-01'}]
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
MODELS = {
    "stock_rows": "select * from {{ source('shop', 'stock') }}\n",
    "day_rows": """\
select strftime(starting_at, '%Y-%m-%d') as day,
    sum((result ->> '$.output_tokens')::bigint)::bigint as tokens
from (
    select starting_at, unnest(from_json(payload -> '$.results', '["json"]')) as result
    from {{ source('claude', 'usage_messages') }}
)
group by 1
""",
}
FIRST_FETCHED = date(2026, 2, 1)
BLUEPRINTS = {
    "fruit": """\
identifier: fruit
title: Fruit
schema:
  properties: {amount: {type: number}, colour: {type: string}, size: {type: number}}
relations:
  basket: {title: Basket, target: basket}
""",
    "basket": """\
identifier: basket
title: Basket
schema: {properties: {label: {type: string}}}
""",
    "day": """\
identifier: day
title: Day
schema: {properties: {tokens: {type: number}}}
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
DAYS = """\
  - name: days
    kind: day_rows
    selector: {query: 'true'}
    port:
      entity:
        mappings: {identifier: .day, blueprint: '"day"', properties: {tokens: .tokens}}
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

    mapped     of each resource that there is, the properties and relations that its mapping names
    prefixes   what the identifiers of each resource begin with
    threshold  `entityDeletionThreshold`
    lenient    `createMissingRelatedEntities`
    days       the tokens of each day of the report, as it was when it was fetched; None: nothing is
               known of it
    failing    whether it could not be fetched the last time
    """

    rows: dict[Key, Row] = field(default_factory=dict)
    mapped: dict[str, frozenset[str]] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)
    threshold: float = 0.9
    lenient: bool = True
    days: dict[str, int] | None = None
    failing: bool = False

    @classmethod
    def opened(cls) -> Shop:
        """More nuts than a bulk has room for, and a few of the others."""
        rows = {("baskets", f"b{n}"): Row(Decimal(0), "brown") for n in range(2)}
        rows |= {("fruits", f"f{n}"): Row(Decimal(n), "red", f"b{n % 2}") for n in range(3)}
        rows |= {("nuts", f"n{n:02}"): Row(Decimal(n), None) for n in range(26)}
        both = frozenset(("amount", "colour", ">basket"))
        mapped = {"fruits": both, "nuts": both, "baskets": frozenset(("label",))}
        return cls(rows, mapped, {"fruits": "", "nuts": "", "baskets": ""})

    def given(self) -> dict[Key, list[tuple[str, Flat]]]:
        """What the rows give: resources and values, by blueprint and identifier."""
        found: dict[Key, list[tuple[str, Flat]]] = {}
        for (what, name), row in self.rows.items():
            if what in self.mapped:
                key = (MADE_OF[what], self.prefixes[what] + name)
                found.setdefault(key, []).append((what, self._values(what, row)))
        for day, tokens in (self.days or {}).items():
            found["day", day] = [("days", {"tokens": tokens})]
        return found

    def wanted(self) -> dict[Key, tuple[str, Flat]]:
        """What Port is to hold: resource and values, by blueprint and identifier."""
        return {
            key: min(each, key=lambda one: one[0])
            for key, each in self.given().items()
            if all(values == each[0][1] for _, values in each)
        }

    def conflicting(self) -> set[Key]:
        """What rows that differ give."""
        return self.given().keys() - self.wanted().keys()

    def fetch(self, organisation: Organisation, now: datetime) -> None:
        """The whole report is fetched anew."""
        days = (FIRST_FETCHED + timedelta(n) for n in range((now.date() - FIRST_FETCHED).days + 1))
        events = {str(day): organisation.usage_events(day, now) for day in days}
        self.failing = False
        self.days = {
            day: sum(each.output_tokens for each in used) for day, used in events.items() if used
        }

    def _values(self, what: str, row: Row) -> Flat:
        if what == "baskets":
            return {"label": row.colour}
        size = len(row.colour or "")
        known = {"amount": row.amount, "colour": row.colour, "size": size, ">basket": row.basket}
        return {name: known[name] for name in self.mapped[what]}

    def lay_out(self, desk: Desk) -> None:
        """Write all files of the project."""
        desk.write("project.yml", PROJECT)
        desk.write("sources/shop.yml", SOURCE)
        for name, text in MODELS.items():
            desk.write(f"models/{name}.sql", text)
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
        head = f"entityDeletionThreshold: {self.threshold}\n"
        head += f"createMissingRelatedEntities: {str(self.lenient).lower()}\nresources:\n"
        resources = map(self._resource, sorted(self.mapped))
        desk.write("mappings/shop.yml", head + "".join([*resources, DAYS]))

    def _resource(self, what: str) -> str:
        expressions = {"label": ".colour"} if what == "baskets" else EXPRESSIONS
        mapped = sorted(self.mapped[what] - {">basket"})
        lines = [f"            {name}: {expressions[name]}" for name in mapped]
        text = RESOURCE.format(
            name=what,
            prefix=self.prefixes[what],
            blueprint=MADE_OF[what],
            properties="\n".join(lines),
        )
        return text + RELATION if ">basket" in self.mapped[what] else text
