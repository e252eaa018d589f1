"""Ctrl-C in commands that only read: a query under way in DuckDB hears of it; twice is at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb
import pexpect
import pytest
from tests.engine.cli.faults.test_terminal import spawn

from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

PATIENCE = 60
ENDLESS = (
    "SELECT count(*) AS n FROM range(300000) a, range(300000) b WHERE a.range * b.range % 7 = 3"
)
MAPPING = """
resources:
  - name: endless
    kind: endless
    selector: {query: "true"}
    port:
      entity:
        mappings: {identifier: .n | tostring, blueprint: '"b"'}
"""


@pytest.fixture
def endless(desk: Desk) -> Desk:
    """A project that has little but a model, and a data test, that come to no end."""
    desk.without_marts()
    desk.write("models/marts/endless.sql", ENDLESS)
    desk.write("tests/data/a_first.sql", "SELECT 1 AS n WHERE false")
    desk.write("tests/data/b_endless.sql", f"SELECT * FROM ({ENDLESS}) WHERE n < 0")
    with duckdb.connect(str(desk.database)) as connection:
        prepare(connection, [])
        connection.execute(f"CREATE SCHEMA marts; CREATE VIEW marts.endless AS {ENDLESS}")
    return desk


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", ENDLESS), ""),
        (("show", "endless"), ""),
        (("map", "endless", "--mapping", "endless.yml"), ""),
        (("test", "-s", "a_first b_endless"), "1 of 2 PASS a_first"),
    ],
    ids=["query", "show", "map", "test"],
)
def test_a_query_under_way_is_ended(endless: Desk, arguments: tuple[str, ...], said: str) -> None:
    endless.write("endless.yml", MAPPING)
    words = [str(endless.root / each) if each == "endless.yml" else each for each in arguments]
    child = spawn(endless, *words)
    if said:
        child.expect_exact(said)
    for _ in range(PATIENCE):
        # Until the database is opened there is nothing to see of it.
        time.sleep(0.3)
        if is_reading(endless):
            break
    time.sleep(0.5)
    began = time.monotonic()
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130, child.before
    assert "stopped" in str(child.before)
    assert "Traceback" not in str(child.before)
    assert time.monotonic() - began < PATIENCE / 4
    out = (endless.root / "out.txt").read_text("utf-8")
    if arguments[0] == "test":
        assert "Done. PASS=1 WARN=0 ERROR=0 SKIP=0 TOTAL=1\nNot run: 1 check\n" in out


def is_reading(desk: Desk) -> bool:
    """Whether somebody has the database open."""
    try:
        duckdb.connect(str(desk.database)).close()
    except duckdb.IOException:
        return True
    return False
