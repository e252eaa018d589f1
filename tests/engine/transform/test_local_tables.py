"""What is read of files of the project, and what can't be."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.errors import UserError
from lading.transform.literals import literal
from lading.transform.local_tables import columns, empty_select, load

if TYPE_CHECKING:
    from tests.engine.transform.conftest import MakeFile


def rows(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return connection.execute("FROM files.t").fetchall()


def types(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    described = connection.execute("DESCRIBE files.t").fetchall()
    return {name: type_ for name, type_, *_ in described}


def test_a_csv_has_the_types_that_are_declared_and_text(
    file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    content = "team,budget_usd,heads,since,note\n007,12345678901234567.89,1.0,2026-01-05,\n"
    content += '"a, ""b""\nc",-.5,+3,,"ü"\n'
    entry = (
        "columns: [{name: budget_usd, data_type: 'DECIMAL(19, 2)'}, {name: HEADS, data_type: int},"
    )
    made = file("t.csv", content, entry + " {name: since, data_type: date}, {name: note}]")
    assert load(database, made) == 2
    assert rows(database) == [
        ("007", Decimal("12345678901234567.89"), 1, date(2026, 1, 5), None),
        ('a, "b"\nc', Decimal("-0.50"), 3, None, "ü"),
    ]
    assert types(database) == {
        "team": "VARCHAR",
        "budget_usd": "DECIMAL(19,2)",
        "heads": "INTEGER",
        "since": "DATE",
        "note": "VARCHAR",
    }


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\r\n1,2\r\n",
        b'\xef\xbb\xbf"a";b\n1;2\n',
        b"a\tb\n1\t2",
        b"a|b\r1|2\r",
        b'a,"b"\n\n"1",2\r\n\n',
    ],
)
def test_the_ways_to_write_a_csv(
    content: bytes, file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    load(database, file("t.csv", content))
    assert rows(database) == [("1", "2")]
    assert list(types(database)) == ["a", "b"]


def test_a_long_csv_is_read_whole_and_in_order(
    file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    lines = "".join(f"{number}\n" for number in range(25_000))
    made = file("t.csv", f"n\n{lines}", "columns: [{name: n, data_type: BIGINT}]")
    assert load(database, made) == 25_000
    answer = database.execute("SELECT count(*), sum(n), bool_and(n = rowid) FROM files.t")
    assert answer.fetchall() == [(25_000, 312_487_500, True)]


JSON = """[
  {"id": "1", "n": 1, "ok": true, "usd": 0.10, "tags": ["a", 1.50], "mix": "x", "none": null},
  {"n": 999999999999999999, "usd": 12345678901234567.891, "mix": {"é": null}}
]
"""


def test_json_that_says_no_types_stays_what_is_written(
    file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    assert load(database, file("t.json", JSON)) == 2
    assert rows(database) == [
        ("1", 1, True, "0.10", '["a",1.50]', '"x"', None),
        (None, 999999999999999999, None, "12345678901234567.891", None, '{"é":null}', None),
    ]
    assert types(database) == {
        "id": "VARCHAR",
        "n": "BIGINT",
        "ok": "BOOLEAN",
        "usd": "JSON",
        "tags": "JSON",
        "mix": "JSON",
        "none": "VARCHAR",
    }


@pytest.mark.parametrize("start", ["", "[", "\ufeff[\n"])
def test_the_types_of_json_are_those_that_are_declared(
    start: str, file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    between, end = (",", "]") if start else ("\n", "\n")
    first = '{"usd": 0.1234567890123456789, "at": "2026-01-05T10:00:00Z", "id": 7, "raw": 1}'
    second = '{"usd": "12.5", "raw": "x", "id": null}'
    entry = """columns: [{name: usd, data_type: 'DECIMAL(21, 19)'}, {name: raw, data_type: JSON},
        {name: id, data_type: VARCHAR}, {name: at, data_type: TIMESTAMP}]"""
    load(database, file("t.json", f"{start}{first}{between}{second}{end}", entry))
    moment = datetime(2026, 1, 5, 10, tzinfo=UTC).replace(tzinfo=None)
    assert rows(database) == [
        (Decimal("0.1234567890123456789"), moment, "7", "1"),
        (Decimal("12.5"), None, None, '"x"'),
    ]


def test_json_without_rows_has_the_columns_that_are_declared(
    file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    made = file("t.json", "[]", "columns: [{name: a, data_type: BIGINT}, {name: b}]")
    assert load(database, made) == 0
    assert types(database) == {"a": "BIGINT", "b": "VARCHAR"}


def parquet(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect().execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet)")


def test_parquet_has_its_own_types_but_for_the_declared_ones(
    file: MakeFile, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    query = """SELECT 1.10::DECIMAL(5, 2) AS usd, 0.1::DOUBLE AS share, 7::INTEGER AS n,
        '2026-01-05' AS d, TIMESTAMPTZ '2026-01-05 02:00:00+02' AS at"""
    parquet(tmp_path / "made.parquet", query)
    content = (tmp_path / "made.parquet").read_bytes()
    entry = """columns: [{name: share, data_type: 'DECIMAL(3, 2)'}, {name: d, data_type: DATE},
        {name: at, data_type: TIMESTAMP}, {name: n}]"""
    database.execute("SET TimeZone = 'Asia/Tokyo'")
    assert load(database, file("year=2026/t.parquet", content, entry)) == 1
    midnight = datetime(2026, 1, 5, tzinfo=UTC).replace(tzinfo=None)
    usd, share = Decimal("1.10"), Decimal("0.10")
    assert rows(database) == [(usd, share, 7, date(2026, 1, 5), midnight)]
    assert types(database) == {
        "usd": "DECIMAL(5,2)",
        "share": "DECIMAL(3,2)",
        "n": "INTEGER",
        "d": "DATE",
        "at": "TIMESTAMP",
    }


@pytest.mark.parametrize(
    ("query", "data_type", "value"),
    [
        ("unnest([0.25, 0.125])::DOUBLE", "DECIMAL(3, 2)", "0.125"),
        ("unnest([1, 300])", "TINYINT", "300"),
        ("unnest(['1', '1.5'])", "BIGINT", "1.5"),
        ("TIMESTAMP '2026-01-05 10:00:00'", "DATE", "2026-01-05 10:00:00"),
    ],
)
def test_what_does_not_fit_in_parquet_is_an_error(
    query: str,
    data_type: str,
    value: str,
    file: MakeFile,
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
) -> None:
    parquet(tmp_path / "made.parquet", f"SELECT {query} AS x")
    entry = f"columns: [{{name: x, data_type: '{data_type}'}}]"
    made = file("t.parquet", (tmp_path / "made.parquet").read_bytes(), entry)
    with pytest.raises(UserError, match=f"'{value}' does not fit the column 'x'") as caught:
        load(database, made)
    assert str(caught.value.place) == "t.parquet"


@pytest.mark.parametrize(
    ("data_type", "good", "bad"),
    [
        ("BIGINT", "-9223372036854775808", "9223372036854775808"),
        ("INTEGER", "7.00", "1.5"),
        ("INTEGER", "1000", "1_000"),
        ("UINTEGER", "+0", "-1"),
        ("DECIMAL(5, 2)", "-999.990", "1.239"),
        ("DECIMAL(5, 2)", "5.", "1000"),
        ("DECIMAL(5, 2)", ".5", "1e2"),
        ("DECIMAL(18, 2)", "1234.50", "1.234,50"),
        ("DOUBLE", "1e2", "1,5"),
        ("BOOLEAN", "true", "maybe"),
        ("DATE", "2026-1-5", "01/02/2026"),
        ("DATE", "2026-02-28", "2026-02-29"),
        ("DATE", "2024-02-29", "2026-01-05 10:00:00"),
        ("TIMESTAMP", "2026-01-05", "2026-01-05T10:00:00+02:00"),
        ("TIMESTAMP", "2026-01-05T10:00:00.123456Z", "2026-01-05 10:00:00.1234567"),
        ("TIMESTAMP_S", "2026-01-05 10:00", "2026-01-05 10:00:00.5"),
        ("TIMESTAMPTZ", "2026-01-05T10:00:00+02", "2026-01-05 10:00:00"),
        ("TIME", "10:00", "25:00"),
        ("JSON", "[1]", "{a}"),
        ("UUID", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6f96"),
        ("ENUM(''a'', ''b'')", "b", "c"),
    ],
)
def test_what_does_not_fit_a_type_is_an_error_with_its_line(
    data_type: str, good: str, bad: str, file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    entry = f"columns: [{{name: x, data_type: '{data_type}'}}]"
    made = file("data/t.csv", f'n;x\n"of\ntwo lines";{good}\n2;\n3;"{quoted(bad)}"\n4;?\n', entry)
    with pytest.raises(UserError) as caught:
        load(database, made)
    assert caught.value.message.startswith(f"'{bad}' does not fit the column 'x', which is ")
    assert str(caught.value.place) == "data/t.csv:5"
    assert "declared at sources/company.yml:4:" in (caught.value.hint or "")
    good_one = file("data/t.csv", f'n;x\n1;"{quoted(good)}"\n', entry)
    assert load(database, good_one) == 1


def quoted(text: str) -> str:
    return text.replace('"', '""')


@pytest.mark.parametrize(
    ("path", "content", "message", "place"),
    [
        ("t.csv", "", "the first line has to name the columns", "t.csv:1"),
        ("t.csv", "\na,b\n", "the first line has to name the columns", "t.csv:1"),
        ("t.csv", "a,b,\n", "column 3 has no name", "t.csv:1"),
        ("t.csv", "a,b,A\n", "there are two columns 'A'", "t.csv:1"),
        ("t.csv", 'a,b\n"1\n2",3\n4\n', "the header has 2 columns, and this row has 1", "t.csv:4"),
        ("t.csv", "a,b\n1,2,3\n", "the header has 2 columns, and this row has 3", "t.csv:2"),
        ("t.csv", 'a,b\n1,2\n3,"4\n', "not CSV: unexpected end of data", "t.csv:3"),
        ("t.csv", "a\né\n".encode("latin-1"), "it is not UTF-8", "t.csv:"),
        ("t.json", '[{"a": 1},\n{"a": 2}\n{"a": 3}]', "Expecting ',' delimiter", "t.json:3"),
        ("t.json", '[{"a": 1},\n]', "not JSON: ", "t.json:2"),
        ("t.json", '[{"a": 1}]\nx', "Extra data", "t.json:2"),
        ("t.json", '[{"a": 1}\n', "Expecting ',' delimiter", "t.json:2"),
        ("t.json", '{"a": 1}\n\n{"a": NaN}', "NaN is no JSON", "t.json:3"),
        ("t.json", '{"a": 1}\n{"a": 1, "a": 2}', "a key stands twice in an object", "t.json:2"),
        ("t.json", '{"a": 1}\n[2]', "each row of JSON has to be an object", "t.json:2"),
        ("t.json", '{"a": 1, "A": 2}', "there are two columns 'A'", "t.json:1"),
        ("t.json", '{"a": "x"}\n{"a": "\\ud83d"}', "there is half a character", "t.json:2"),
        ("t.json", "[]", "t.json is empty, so nobody knows its columns", "sources/company.yml:4"),
        ("t.parquet", "no", "", "t.parquet"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(
    path: str,
    content: str | bytes,
    message: str,
    place: str,
    file: MakeFile,
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError) as caught:
        load(database, file(path, content))
    assert message in caught.value.message
    assert str(caught.value.place).startswith(place)
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("path", "content", "column", "message"),
    [
        ("t.csv", "team\nx\n", "{name: taem}", "t.csv has no column 'taem'"),
        ("t.json", '{"team": 1}', "{name: taem}", "t.json has no column 'taem'"),
        ("t.csv", "team\nx\n", "{name: team, data_type: TXT}", "there is no type 'TXT'"),
        ("t.csv", "a\n", "{name: a, data_type: 'INT) x'}", "there is no type 'INT) x'"),
        ("t.json", '{"a": [1]}', "{name: a, data_type: 'INT[]'}", "a column of a JSON file can't"),
    ],
)
def test_what_is_declared_and_can_not_be_is_told_where_it_is_declared(
    path: str,
    content: str,
    column: str,
    message: str,
    file: MakeFile,
    database: duckdb.DuckDBPyConnection,
) -> None:
    made = file(path, content, f"columns: [{column}]")
    with pytest.raises(UserError) as caught:
        load(database, made)
    assert message in caught.value.message
    assert caught.value.place == made.columns[0].place


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_path_is_taken_letter_by_letter(
    suffix: str, file: MakeFile, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    parquet(tmp_path / "made.parquet", "SELECT '1' AS a")
    content = {
        "csv": b"a\n1\n",
        "json": b'{"a": "1"}',
        "parquet": (tmp_path / "made.parquet").read_bytes(),
    }[suffix]
    # What the path would mean as a pattern.
    for decoy in (f"year=1/x'y1z\"/t'.{suffix}", f"year=1/x'y1z\"/tx.{suffix}"):
        parquet(tmp_path / decoy, "SELECT 'decoy' AS a")
    load(database, file(f"year=1/x'*[1]?\"/t['x].{suffix}", content))
    assert rows(database) == [("1",)]
    assert types(database) == {"a": "VARCHAR"}


def test_a_table_is_made_anew_within_the_callers_transaction(
    file: MakeFile, database: duckdb.DuckDBPyConnection
) -> None:
    load(database, file("t.csv", "a\n1\n"))
    database.begin()
    entry = "columns: [{name: b, data_type: INTEGER}]"
    assert load(database, file("t.csv", "b\n2\n", entry)) == 1
    assert rows(database) == [(2,)]
    database.rollback()
    assert rows(database) == [("1",)]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("t.csv", b'a,b,"c d"\n1,,x\n'),
        ("t.json", b'{"a": 1, "b": 0.5, "c d": "x"}'),
        ("t.parquet", None),
    ],
)
def test_the_columns_are_known_without_the_table(
    path: str,
    content: bytes | None,
    file: MakeFile,
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
) -> None:
    parquet(tmp_path / "made.parquet", "SELECT 1 AS a, 0.5 AS b, TIME '10:00' AS \"c d\"")
    content = content or (tmp_path / "made.parquet").read_bytes()
    made = file(path, content, "columns: [{name: a, data_type: SMALLINT}]")
    known, empty = columns(database, made), empty_select(database, made)
    load(database, made)
    assert dict(known) == types(database)
    database.execute(f"CREATE TABLE empty AS {empty}")
    shape = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?"
    assert dict(database.execute(shape, ["empty"]).fetchall()) == types(database)
    assert database.execute("FROM empty").fetchall() == []
