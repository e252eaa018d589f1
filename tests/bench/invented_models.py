"""Projects of invented models over one raw table: one of 6 models, and one of 200."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lading.warehouse.database import Database
from lading.warehouse.tables import prepare

ROWS = 50_000
DAYS, WORKSPACES, MODELS, KEYS = 100, 20, 5, 5
FIRST_DAY = date(2026, 1, 1)
DATABASE = "bench.duckdb"
STORAGE_VERSION, THREADS = "v1.0.0", 2

PROJECT = f"""\
name: bench
targets:
  bench: {{database: {DATABASE}, threads: {THREADS}, storage-version: {STORAGE_VERSION}}}
connections:
  anthropic:
    base_url: http://127.0.0.1
    api_key: "{{{{ env_var('ANTHROPIC_ADMIN_API_KEY') }}}}"
"""
SOURCES = """\
sources:
  - name: platform
    connection: anthropic
    streams:
      - {name: usage, path: /usage, iterate: day, page_size: 1000}
"""
RECORDS = """\
INSERT INTO raw.usage
SELECT 'anthropic', '{"path": "/usage"}', day, day + INTERVAL 1 DAY,
    row_number() OVER (PARTITION BY day),
    json_object(
        'workspace_id', CASE w WHEN 0 THEN NULL ELSE 'wrkspc_' || w END,
        'model', 'claude-' || m, 'api_key_id', 'apikey_' || k,
        'uncached_input_tokens', 1000 + (d * 7 + w * 11 + m * 13 + k * 17) % 5000,
        'output_tokens', 100 + (d * 19 + w * 23 + m * 29 + k * 31) % 500,
        'cache_read_input_tokens', (d * 37 + w * 41 + m * 43 + k * 47) % 9000
    ),
    day + INTERVAL 1 DAY, 'bench'
FROM range($days) AS days(d), range($workspaces) AS workspaces(w), range($models) AS models(m),
    range($keys) AS keys(k), LATERAL (SELECT $first::TIMESTAMP + d * INTERVAL 1 DAY AS day)
"""
SLICES = """\
INSERT INTO lading.slices
SELECT 'anthropic', 'usage', '{"path": "/usage"}', starting_at, ending_at, count(*), true,
    ending_at, 'bench'
FROM raw.usage GROUP BY starting_at, ending_at
"""

FEW = {
    "staging/usage_records.sql": """\
{{ config(materialized='table') }}
with decoded as (
    select
        starting_at::date as day,
        from_json(payload, '{
            "workspace_id": "VARCHAR", "model": "VARCHAR", "api_key_id": "VARCHAR",
            "uncached_input_tokens": "BIGINT", "output_tokens": "BIGINT",
            "cache_read_input_tokens": "BIGINT"
        }') as record
    from {{ source('platform', 'usage') }}
)

select
    day,
    coalesce(record.workspace_id, 'default') as workspace_id,
    record.model as model,
    record.api_key_id as api_key_id,
    record.uncached_input_tokens as uncached_input_tokens,
    record.output_tokens as output_tokens,
    record.cache_read_input_tokens as cache_read_input_tokens
from decoded
""",
    "staging/workspaces.sql": """\
{{ config(materialized='view') }}
select distinct workspace_id, workspace_id = 'default' as is_default
from {{ ref('usage_records') }}
""",
    "marts/usage_by_day.sql": """\
{{ config(materialized='table') }}
select
    day,
    workspace_id,
    sum(uncached_input_tokens)::bigint as uncached_input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cache_read_input_tokens)::bigint as cache_read_input_tokens
from {{ ref('usage_records') }}
group by all
""",
    "marts/usage_by_model.sql": """\
{{ config(materialized='table') }}
select day, model, sum(output_tokens)::bigint as output_tokens
from {{ ref('usage_records') }}
group by all
""",
    "marts/usage_by_api_key.sql": """\
{{ config(materialized='table') }}
select
    usage_records.api_key_id,
    workspaces.is_default,
    sum(usage_records.output_tokens)::bigint as output_tokens
from {{ ref('usage_records') }} as usage_records
join {{ ref('workspaces') }} as workspaces using (workspace_id)
group by all
""",
    "staging/staging.yml": """\
models:
  - name: usage_records
    columns:
      - {name: day, data_tests: [not_null]}
      - name: model
        data_tests:
          - accepted_values: {values: [claude-0, claude-1, claude-2, claude-3, claude-4]}
  - name: workspaces
    columns:
      - {name: workspace_id, data_tests: [unique]}
""",
    "marts/marts.yml": """\
models:
  - name: usage_by_day
    data_tests:
      - unique: {columns: [day, workspace_id]}
      - expression: {expression: "output_tokens > 0 and uncached_input_tokens > 0"}
    columns:
      - name: day
        data_type: DATE
        description: The UTC day.
      - name: workspace_id
        data_tests:
          - relationships: {to: ref('workspaces'), field: workspace_id}
  - name: usage_by_model
    data_tests:
      - sum_equals: {to: ref('usage_records'), by: [day], sum: [output_tokens]}
  - name: usage_by_month
    config: {materialized: table}
    rollup: {from: usage_by_day, every: month, by: [workspace_id], sum: [output_tokens]}
    columns:
      - {name: workspace_id, data_tests: [not_null]}
""",
}
MODELS_OF_FEW, TESTS_OF_FEW = 6, 8
MODELS_OF_MANY, TESTS_OF_MANY = 200, 200
# Beside the few there are chains: so many models, each of which reads the one before.
CHAIN = 4
# The second of its chain, and a table, as is the third.
CHANGED = 45


@dataclass(frozen=True, slots=True)
class Invented:
    """A project that was laid out, how much there is of it, and its last model."""

    root: Path
    models: int
    tests: int
    last: str

    @property
    def database(self) -> Path:
        """The file with its raw table, and with what is built of that."""
        return self.root / DATABASE

    @property
    def kept(self) -> Path:
        """What is kept of its files from run to run."""
        return self.root / "target" / "cache.msgpack"

    def change(self, number: int) -> None:
        """Have one of the many say something else, for each number something else again; two
        others depend on it."""
        path = self.root / "models" / "marts" / f"{_name(CHANGED)}.sql"
        path.write_text(_link(CHANGED, bound=number + 1), "utf-8")


def few(root: Path) -> Invented:
    """Six models and eight tests: staging, marts, a roll-up."""
    _lay_out(root, FEW)
    return Invented(root, MODELS_OF_FEW, TESTS_OF_FEW, "usage_by_month")


def many(root: Path) -> Invented:
    """The few, and chains of models that are as small as most are, each with a test."""
    _lay_out(root, FEW | _chains())
    last = _name(MODELS_OF_MANY - MODELS_OF_FEW - 1)
    return Invented(root, MODELS_OF_MANY, TESTS_OF_MANY, last)


def _lay_out(root: Path, models: dict[str, str]) -> None:
    files = {f"models/{name}": text for name, text in models.items()}
    for name, text in (files | {"project.yml": PROJECT, "sources/platform.yml": SOURCES}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    _land(Database(root / DATABASE, STORAGE_VERSION, THREADS))


def _land(database: Database) -> None:
    with database.writing() as connection:
        prepare(connection, ["usage"])
        given = {
            "days": DAYS,
            "workspaces": WORKSPACES,
            "models": MODELS,
            "keys": KEYS,
            "first": FIRST_DAY,
        }
        connection.execute(RECORDS, given)
        connection.execute(SLICES)


def _chains() -> dict[str, str]:
    """As many models and tests as are missing beside the few; every third model is a view."""
    names = [_name(number) for number in range(MODELS_OF_MANY - MODELS_OF_FEW)]
    tested = names[: TESTS_OF_MANY - TESTS_OF_FEW]
    files = {f"marts/{name}.sql": _link(number) for number, name in enumerate(names)}
    return {**files, "marts/chains.yml": "models:\n" + "".join(map(_properties, tested))}


def _name(number: int) -> str:
    return f"chain_{number // CHAIN}_{number % CHAIN}"


def _link(number: int, bound: int = 0) -> str:
    """The first of a chain reads the days, and each other one the link before it."""
    read = _name(number - 1) if number % CHAIN else "usage_by_day"
    kind = "view" if number % 3 == 2 else "table"
    return f"""\
{{{{ config(materialized='{kind}') }}}}
select day, workspace_id, output_tokens, output_tokens * {number + 2} as weighted
from {{{{ ref('{read}') }}}}
where output_tokens > {bound}
"""


def _properties(name: str) -> str:
    return f"""\
  - name: {name}
    description: A link of a chain.
    columns:
      - name: day
        data_type: DATE
        description: The UTC day.
        data_tests: [not_null]
      - name: weighted
        description: Output tokens, several times.
"""
