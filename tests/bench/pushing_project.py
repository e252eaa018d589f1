"""A project of one generated table whose rows become entities, and nothing to fetch."""

from __future__ import annotations

from pathlib import Path

DATABASE, FRESH = "bench", "fresh"
# In so many rows one changes with `revision`; those before `gone` are no longer there.
CHANGES_OF = 100

PROJECT = """\
name: bench
vars: {{entities: {entities}, revision: 0, gone: 0}}
target: bench
targets:
  bench: {{database: bench.duckdb, threads: 2, storage-version: v1.0.0}}
  fresh: {{database: fresh.duckdb, threads: 2, storage-version: v1.0.0}}
connections:
  port:
    base_url: "{{{{ env_var('PORT_BASE_URL') }}}}"
    client_id: "{{{{ env_var('PORT_CLIENT_ID') }}}}"
    client_secret: "{{{{ env_var('PORT_CLIENT_SECRET') }}}}"
    integration: bench
    concurrency: {concurrency}
"""
MODEL = f"""\
{{{{ config(materialized='table') }}}}
with numbered as (
    select n, 'user-' || (n % 500) || '@example.org' as email,
        date '2026-01-01' + (n // 500)::integer as day
    from range({{{{ var('gone') }}}}, {{{{ var('entities') }}}}) as numbers(n)
)

select
    email || ':' || day as id,
    email,
    day::timestamptz as record_date,
    'workspace-' || (n % 20) as workspace,
    1000 + (n * 7919) % 100000 as input_tokens,
    100 + (n * 104729) % 5000
        + if(n % {CHANGES_OF} = {CHANGES_OF - 1}, {{{{ var('revision') }}}}, 0) as output_tokens,
    (n * 31) % 9000 as cache_read_tokens,
    ((n * 13) % 100000)::decimal(18, 2) / 100 as amount_usd,
    n % 3 = 0 as is_remote
from numbered
"""
PROPERTIES = {
    "record_date": "{type: string, format: date-time}",
    "email": "{type: string, format: email}",
    "workspace": "{type: string}",
    "input_tokens": "{type: number}",
    "output_tokens": "{type: number}",
    "cache_read_tokens": "{type: number}",
    "amount_usd": "{type: number}",
    "is_remote": "{type: boolean}",
}
MAPPING = """\
entityDeletionThreshold: 0.05
resources:
  - kind: things
    port:
      entity:
        mappings:
          identifier: .id
          title: .email
          blueprint: '"thing"'
          properties:
"""
BLUEPRINT = """\
identifier: thing
title: Thing
schema:
  required: [record_date]
  properties:
"""


def lay_out(root: Path, *, entities: int, concurrency: int) -> None:
    """Write the project; what is sent has the eight properties of a day's figures."""
    mapped = "".join(f"            {name}: .{name}\n" for name in PROPERTIES)
    defined = "".join(f"    {name}: {what}\n" for name, what in PROPERTIES.items())
    files = {
        "project.yml": PROJECT.format(entities=entities, concurrency=concurrency),
        "models/things.sql": MODEL,
        "mappings/things.yml": MAPPING + mapped,
        "mappings/blueprints/thing.yml": BLUEPRINT + defined,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
