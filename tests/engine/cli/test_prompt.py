"""`lading query` without a question: the prompt, on a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING

import duckdb
import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.commands.prompt_words import is_whole, suggestions
from lading.warehouse.catalog import Catalog, Relation

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

PATIENCE = 30
READY = "lading>"
# What moves the cursor, colours and erases.
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[=>]|\r")
ENDLESS = "select count(*) from range(300000) a, range(300000) b where a.range * b.range % 7 = 3;"
SECRET = "sk-ant-admin01-of-nobody"


class Screen:
    """A prompt, what is typed into it, and what it says."""

    def __init__(self, desk: Desk, *arguments: str, **environment: str) -> None:
        variables = {
            **desk.environment,
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "XDG_STATE_HOME": str(desk.root / "state"),
            "PAGER": "cat",
            **environment,
        }
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "lading", "query", "-C", str(desk.root), *arguments],
            env=variables,
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(24, 80),
        )

    def see(self, *said: str) -> str:
        """All until the last of these, which come in this order."""
        seen = ""
        for each in said:
            self._child.expect_exact(each)
            seen += f"{self._child.before}{each}"
        return SEQUENCE.sub("", seen)

    def type(self, text: str) -> None:
        """Some keys, and Enter."""
        self._child.send(f"{text}\r")

    def send(self, keys: str) -> None:
        self._child.send(keys)

    def press(self, key: str) -> None:
        self._child.sendcontrol(key)

    def press_until(self, key: str, said: str) -> None:
        for _ in range(PATIENCE):
            self.press(key)
            if self._child.expect_exact([said, pexpect.TIMEOUT], timeout=1) == 0:
                return
        raise AssertionError(f"never said {said!r}")

    def end(self) -> int | None:
        """Wait for it to end; gives the exit code."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        return self._child.exitstatus

    def close(self) -> None:
        self._child.close(force=True)


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A project with a database that was written by hand."""
    with duckdb.connect(str(desk.database)) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE bills (day DATE, amount DECIMAL(36, 15))")
        connection.execute("INSERT INTO bills VALUES ('2026-02-01', 92.115), ('2026-02-02', 7)")
        connection.execute("CREATE VIEW marts.cost_by_day AS SELECT day, amount FROM bills")
    return desk


@pytest.fixture
def screen(asked: Desk) -> Iterator[Screen]:
    opened = Screen(asked, ANTHROPIC_ADMIN_API_KEY=SECRET)
    yield opened
    opened.close()


def test_a_sitting(screen: Screen, asked: Desk) -> None:
    screen.see("claude.duckdb, for reading; .help tells", READY)
    screen.type("select day, -- the day;\rsum(amount) as total")
    screen.type("from bills group by all order by day;")
    seen = screen.see("rows in ", READY)
    assert "2026-02-01  92.115000000000000\n" in seen
    assert re.search(r"2 rows in \d+\.\d\d s", seen)
    screen.type("select nothing from bills;")
    assert 'column "nothing" not found' in screen.see("Binder Error", READY)
    screen.type("drop table bills;")
    screen.see("open for reading only", READY)
    screen.type(".mode csv")
    screen.see("rows are printed as csv", READY)
    # An empty line ends a question, too; of several, each has its answer.
    screen.type("select 1 as one; select 2 as two\r")
    assert "one\n1\ntwo\n2\n2 rows in" in screen.see("2 rows in", READY)
    screen.type(".tables cost")
    assert "name,kind,rows\nmarts.cost_by_day,view,\n" in screen.see("cost_by_day,view", READY)
    screen.type(".schema cost_by_day")
    assert 'amount,"DECIMAL(36,15)",' in screen.see("Cost in the currency", READY)
    screen.type(".schema bils")
    screen.see("did you mean 'bills'?", READY)
    screen.type(".tabels")
    screen.see("did you mean '.tables'?", READY)
    screen.type(".named tokens_by_day days=3")
    screen.see("usage_by_day", "`lading build` makes", READY)
    screen.type(f"select '{SECRET}' as key;")
    screen.see("1 row in", READY)
    screen.press("d")
    assert screen.end() == 0
    kept = asked.root / "state/lading/query_history"
    assert S_IMODE(kept.stat().st_mode) == 0o600
    assert "select nothing from bills;" in kept.read_text("utf-8")
    assert SECRET not in kept.read_text("utf-8")


def test_ctrl_c_stops_the_answer_and_not_the_prompt(screen: Screen) -> None:
    screen.see(READY)
    screen.type(ENDLESS)
    # Before the question has begun it only empties the line, or comes to nothing.
    screen.press_until("c", "stopped")
    screen.see(READY)
    screen.type("select 6 * 7 as answer;")
    screen.see("answer", "42", "1 row in", READY)
    screen.send("select gone")
    screen.press("c")
    screen.see(READY)
    screen.type("select 'still ' || 'here' as t;")
    screen.see("still here", READY)
    screen.type(".quit")
    assert screen.end() == 0


def test_nobody_is_kept_from_writing_while_a_person_thinks(asked: Desk) -> None:
    screen = Screen(asked, "--wait", "0.3")
    try:
        screen.see(READY)
        with duckdb.connect(str(asked.database)) as writer:
            screen.type("from bills;")
            screen.see("claude.duckdb is held by", "--wait", READY)
            writer.execute("INSERT INTO bills VALUES ('2026-02-03', 0.5)")
        screen.type("from bills;")
        screen.see("0.500000000000000", "3 rows in", READY)
    finally:
        screen.close()


def test_what_is_larger_than_the_screen_goes_through_the_pager(asked: Desk) -> None:
    screen = Screen(asked, PAGER=f"tee {asked.root / 'paged'}")
    paged = asked.root / "paged"
    try:
        screen.see(READY)
        screen.type("from range(15);")
        screen.see("15 rows in", READY)
        assert not paged.exists()
        screen.type("from range(1000);")
        screen.see("1,000 rows in", READY)
        assert len(paged.read_text("utf-8").splitlines()) == 1001
        paged.unlink()
        screen.type("select repeat('wide ', 20) as t;")
        screen.see("1 row in", READY)
        assert len(paged.read_text("utf-8").splitlines()) == 2
        paged.unlink()
        screen.type(".pager off")
        screen.see("the pager is off", READY)
        screen.type("from range(1000);")
        screen.see("1,000 rows in", READY)
        assert not paged.exists()
    finally:
        screen.close()


def test_tab_completes(screen: Screen) -> None:
    screen.see(READY)
    screen.send("select 1 from bil\t")
    screen.see("main.bills")
    screen.type(";")
    screen.see("2 rows in", READY)
    screen.send(".mode j\t")
    screen.see("son")
    screen.type("")
    screen.see("rows are printed as json", READY)


def test_without_a_database_there_is_no_prompt(desk: Desk) -> None:
    screen = Screen(desk)
    screen.see("there is no database", "lading sync")
    assert screen.end() == 1


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True),
        ("  \n", True),
        (".tables", True),
        ("select 1", False),
        ("select 1;", True),
        ("select 1; -- done", True),
        ("select 1 -- ;", False),
        ("select ';", False),
        ("select ';'", False),
        ("select 'it''s';", True),
        ("select /* ; ", False),
        ("select $$ ; $$", False),
        ("select $a$ ' $a$;", True),
        ('select "a;', False),
        ("select 1\n", True),
        ("select 'a\n", False),
        ("select payload ->> '$.actor';", True),
    ],
)
def test_where_a_question_ends(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


@given(st.text("ab '\"-/*;$\n.", max_size=30))
def test_a_question_that_is_whole_stays_so_with_another_semicolon(text: str) -> None:
    if is_whole(text) and text.rstrip().endswith(";"):
        assert is_whole(f"{text};")
    assert is_whole(f"-- {text!r}\n;")


DAY, COST = ("day", "DATE"), ("amount", "DECIMAL(38,15)")
CATALOG = Catalog(
    {
        "marts.cost": Relation("marts", "cost", "table", 1, (DAY, COST)),
        "marts.usage": Relation("marts", "usage", "table", 1, (DAY, ("output_tokens", "BIGINT"))),
        "raw.usage": Relation("raw", "usage", "table", 1, (("payload", "JSON"),)),
    },
    ("SELECT", "WHERE", "ORDER"),
    ("date_trunc", "sum"),
)


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ("from ma", "", ["marts.cost", "marts.usage"]),
        ("from us", "", ["marts.usage", "raw.usage"]),
        ("select * from marts.c", "", ["cost"]),
        ("select am", " from marts.cost", ["amount"]),
        ("select c.", " from marts.cost as c join raw.usage u", ["day", "amount"]),
        ("select u.p", " from marts.cost as c join raw.usage u", ["payload"]),
        ("from marts.cost wh", "", ["where"]),
        ("from marts.cost WH", "", ["WHERE"]),
        ("from marts.cost WHERE marts.cost.a", "", ["amount"]),
        ("select da", " from marts.cost", ["day", "date_trunc"]),
        ("select 'am", " from marts.cost", []),
        ("-- am", " from marts.cost", []),
        ("", "", []),
        (".mo", "", [".mode"]),
        (".mode c", "", ["csv"]),
        (".schema raw", "", ["raw.usage"]),
    ],
)
def test_what_a_line_may_go_on_with(before: str, after: str, texts: list[str]) -> None:
    commands = {".mode": ("csv", "json"), ".schema": tuple(CATALOG.relations), ".help": ()}
    assert [each.text for each in suggestions(before, after, CATALOG, commands)] == texts


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_suggestion_goes_on_with_what_is_there(before: str, after: str) -> None:
    for each in suggestions(before, after, CATALOG, {".mode": ("csv",)}):
        assert 0 <= each.replaces <= len(before)


def test_history_that_cannot_be_written_is_no_hindrance(asked: Desk) -> None:
    Path(asked.root / "state").write_text("a file", "utf-8")
    screen = Screen(asked)
    screen.see(READY)
    screen.type("select 1 as one;")
    screen.see("1 row in", READY)
    screen.press("d")
    assert screen.end() == 0
