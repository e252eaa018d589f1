"""`lading query`: SQL from three places, rows in three shapes, nothing changed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

KINDS = """
SELECT 9007199254740993 AS whole,
    170141183460469231731687303715884105727::HUGEINT AS huge,
    12345678901234567.012345678900000::DECIMAL(36, 15) AS exact,
    0.5::DOUBLE AS double,
    'a, "b"' AS text,
    NULL AS nothing,
    true AS flag,
    DATE '2026-02-05' AS day,
    TIMESTAMP '2026-02-05 15:30:00' AS moment,
    [1.10, 2.20]::DECIMAL(9, 2)[] AS list,
    {'cents': 0.1::DECIMAL(9, 1)} AS struct
"""


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A project with a database that was written by hand."""
    with duckdb.connect(str(desk.database)) as connection:
        connection.execute("CREATE TABLE bills (day DATE, amount DECIMAL(36, 15))")
        connection.execute(
            "INSERT INTO bills VALUES ('2026-02-01', 92.115), ('2026-02-02', 0.000000001), "
            "('2026-02-03', NULL)"
        )
    return desk


def test_a_table_has_columns_and_exact_decimals(asked: Desk) -> None:
    done = asked.run("query", "FROM bills ORDER BY day")
    assert done.code == 0
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines == [
        "day                     amount",
        "2026-02-01  92.115000000000000",
        "2026-02-02   0.000000001000000",
        "2026-02-03",
    ]
    assert done.err == ""


def test_csv(asked: Desk) -> None:
    done = asked.run("query", "-o", "csv", KINDS)
    header, row = csv.reader(StringIO(done.out))
    found = dict(zip(header, row, strict=True))
    assert found["whole"] == "9007199254740993"
    assert found["huge"] == "170141183460469231731687303715884105727"
    assert found["exact"] == "12345678901234567.012345678900000"
    assert found["text"] == 'a, "b"'
    assert found["nothing"] == ""
    assert found["day"] == "2026-02-05"
    assert json.loads(found["list"], parse_float=Decimal) == [Decimal("1.10"), Decimal("2.20")]
    assert found["struct"] == '{"cents":0.1}'
    assert "\r" not in done.out


def test_json_keeps_every_digit(asked: Desk) -> None:
    done = asked.run("query", "-o", "json", KINDS)
    [row] = json.loads(done.out, parse_float=Decimal)
    assert row["whole"] == 9007199254740993
    assert row["huge"] == 170141183460469231731687303715884105727
    assert row["exact"] == Decimal("12345678901234567.0123456789")
    assert row["double"] == Decimal("0.5")
    assert row["text"] == 'a, "b"'
    assert row["nothing"] is None
    assert row["flag"] is True
    assert row["day"] == "2026-02-05"
    assert row["moment"] == "2026-02-05T15:30:00Z"
    assert row["list"] == [Decimal("1.10"), Decimal("2.20")]
    assert row["struct"] == {"cents": Decimal("0.1")}


def test_json_of_no_rows_is_an_empty_list(asked: Desk) -> None:
    assert asked.run("query", "-o", "json", "FROM bills WHERE false").out == "[]\n"
    assert asked.run("query", "-o", "csv", "FROM bills WHERE false").out == "day,amount\n"


def test_sql_of_a_file(asked: Desk) -> None:
    asked.write("question.sql", "SELECT count(*) AS days\nFROM bills -- all of them")
    done = asked.run("query", "-o", "csv", "--file", str(asked.root / "question.sql"))
    assert done.out == "days\n3\n"


@pytest.mark.parametrize("arguments", [[], ["-"], ["--file", "-"]])
def test_sql_of_stdin_in_a_process_of_its_own(asked: Desk, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lading", "query", "-o", "csv", *arguments],
        cwd=asked.root,
        env={"PATH": os.environ["PATH"]},
        input="SELECT count(*) AS days FROM bills",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "days\n3\n", "")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEKT 1", "SELEKT"),
        ("FROM nowhere", "nowhere"),
        ("SELECT amont FROM bills", "amont"),
        ("SELECT (1", "syntax"),
        ("", "no SQL"),
        ("/* a comment */", "no SQL"),
        ("FROM read_csv('/nowhere/at/all.csv')", "/nowhere/at/all.csv"),
        ("SELECT 'x'::INTEGER", "x"),
        ("SELECT error('told so')", "told so"),
    ],
)
def test_bad_sql_is_told_in_words(asked: Desk, sql: str, said: str) -> None:
    done = asked.run("query", sql)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "fault in lading" not in done.err


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO bills VALUES ('2026-02-04', 1)",
        "CREATE TABLE other (x INT)",
        "DROP TABLE bills",
        "UPDATE bills SET amount = 0",
        "SELECT 1; DELETE FROM bills",
    ],
)
def test_nothing_can_be_changed(asked: Desk, sql: str) -> None:
    done = asked.run("query", sql)
    assert done.code == 2
    assert "for reading only" in done.err
    assert asked.query("SELECT count(*), sum(amount) FROM bills") == [
        (3, Decimal("92.115000001000000"))
    ]
    assert asked.query("SELECT count(*) FROM duckdb_tables()") == [(1,)]


def test_no_database_yet(desk: Desk) -> None:
    done = desk.run("query", "SELECT 1")
    assert done.code != 0
    assert "claude.duckdb" in done.err
    assert "lading sync" in done.err
    assert not desk.database.exists()


def test_no_sql_at_all_and_too_much_of_it(asked: Desk) -> None:
    both = asked.run("query", "--file", "question.sql", "SELECT 1")
    assert both.code == 2
    assert "not both" in both.err
    missing = asked.run("query", "--file", "question.sql")
    assert missing.code == 2
    assert "question.sql" in missing.err


def test_no_key_is_needed(asked: Desk) -> None:
    done = asked.run(
        "query",
        "SELECT 1 AS one",
        environment={"ANTHROPIC_ADMIN_API_KEY": None, "PORT_CLIENT_SECRET": None},
    )
    assert done.code == 0


def test_a_reader_that_stops_early_ends_a_big_result(asked: Desk) -> None:
    """Rows are printed as they come: the first arrive, and what nobody reads is not made."""
    command = [sys.executable, "-m", "lading", "query", "-o", "csv", "FROM range(1000000000)"]
    with subprocess.Popen(
        command,
        cwd=asked.root,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()
        said = process.stderr.read()
        process.wait(timeout=30)
    assert lines == [b"range\n", b"0\n", b"1\n"]
    assert said == b""


def test_a_table_of_many_columns_is_not_cut(asked: Desk) -> None:
    names = [f"column_number_{n}" for n in range(40)]
    done = asked.run("query", "SELECT " + ", ".join(f"'{'v' * 30}' AS {n}" for n in names))
    header, row = done.out.splitlines()
    assert header.split() == names
    assert row.split() == ["v" * 30] * 40


def test_a_table_keeps_a_value_on_its_line_and_lines_up_wide_letters(asked: Desk) -> None:
    done = asked.run("query", "SELECT * FROM (VALUES ('a\nb', 1), ('工程', 22)) AS t(name, n)")
    assert done.out == "name   n\na\\nb   1\n工程  22\n"
