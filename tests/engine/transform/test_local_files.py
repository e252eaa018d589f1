"""Files of a project as sources: what is declared, what is read of them, and how fresh they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.errors import UserError
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.transform.literals import literal
from lading.transform.local_files import (
    LocalFile,
    fresh_up_to,
    local_files,
    standing,
    version,
)
from lading.transform.local_tables import columns, empty_select, load

if TYPE_CHECKING:
    from tests.engine.transform.conftest import LoadGraph, MakeGraph, MakeProject

MakeFile = Callable[..., LocalFile]


def sources(*entries: str) -> str:
    """A file of sources/ with the entries of files on lines of their own, from line 4 on."""
    return "sources:\n  - name: company\n    files:\n" + "".join(
        f"      - {entry}\n" for entry in entries
    )


@pytest.fixture
def file(tmp_path: Path, project: MakeProject) -> MakeFile:
    """Makes the one file of a project: its content, and its entry beside name and path."""

    def make(path: str, content: str | bytes, entry: str = "") -> LocalFile:
        full = tmp_path / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content.encode() if isinstance(content, str) else content)
        written = path.replace('"', '\\"')
        text = sources(f'{{name: t, path: "{written}"{", " if entry else ""}{entry}}}')
        files, problems = local_files(project({"sources/company.yml": text}))
        assert problems == ()
        return files[0]

    return make


def rows(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return connection.execute("FROM files.t").fetchall()


def types(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    described = connection.execute("DESCRIBE files.t").fetchall()
    return {name: type_ for name, type_, *_ in described}


# What is declared


def test_a_file_is_declared(file: MakeFile, tmp_path: Path) -> None:
    entry = """description: ' Who pays. ', loaded_at: since, freshness: {warn_after: 30d},
        columns: [{name: team, description: Its name.}, {name: since, data_type: date}]"""
    made = file("data/t.csv", "team,since\n", entry)
    assert (made.source, made.name, made.relation) == ("company", "t", "files.t")
    assert (made.path, made.file) == (tmp_path.resolve() / "data/t.csv", "data/t.csv")
    assert (made.format, made.description, made.loaded_at) == ("csv", "Who pays.", "since")
    assert made.limits is not None
    assert (made.limits.warn_after, made.limits.error_after) == (timedelta(days=30), None)
    described = [(each.name, each.data_type, each.description) for each in made.columns]
    assert described == [("team", None, "Its name."), ("since", "date", "")]
    assert str(made.place) == "sources/company.yml:4:16"


@pytest.mark.parametrize(
    ("path", "entry", "format"),
    [
        ("t.csv", "", "csv"),
        ("t.TSV", "", "csv"),
        ("t.jsonl", "", "json"),
        ("t.parquet", "", "parquet"),
        ("t.txt", "format: json", "json"),
        ("t.csv", "format: parquet", "parquet"),
    ],
)
def test_the_format_is_what_is_said_or_what_the_name_ends_with(
    path: str, entry: str, format: str, file: MakeFile
) -> None:
    assert file(path, "", entry).format == format


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (["path: ../t.csv"], ["4:25: '../t.csv' does not stay within the project's folder"]),
        (["path: /t.csv"], ["4:25: '/t.csv' does not stay within the project's folder"]),
        (["path: data/../t.csv"], ["4:25: 'data/../t.csv' does not stay within"]),
        (["path: .env, format: csv"], ["4:25: .env is hidden, as files with secrets are"]),
        (["path: t.cvs, format: csv"], ["4:25: there is no file t.cvs\n    did you mean 't.csv'?"]),
        (["path: data, format: csv"], ["4:25: there is no file data"]),
        (["path: out.csv"], ["4:25: out.csv is a link out of the project's folder"]),
        (["path: linked/secret.csv"], ["4:25: linked/secret.csv is a link out of the project's"]),
        (["path: t.xlsx"], ["4:25: of what format is 't.xlsx'?\n    add format: csv, json or"]),
        (
            ["path: t.csv", "path: t.csv"],
            ["5:16: the file 't' is declared at sources/company.yml:4:16 too"],
        ),
        (
            ["path: t.csv, columns: [{name: a}, {name: A}]"],
            ["4:60: the column 'A' is described at sources/company.yml:4:49 too"],
        ),
        (
            ["path: t.csv, loaded_at: since"],
            ["4:43: loaded_at needs 'since' described as a DATE or a TIMESTAMP"],
        ),
        (
            ["path: t.csv, loaded_at: since, columns: [{name: since, data_type: TIME}]"],
            ["4:43: loaded_at needs 'since' described as a DATE or a TIMESTAMP"],
        ),
        (
            ["path: t.csv, freshness: {warn_after: 2d, error_after: 1d}"],
            ["4:56: warn_after is longer than error_after"],
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_at_its_place(
    entries: list[str], told: list[str], project: MakeProject, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("a\n")
    root = tmp_path / "inside"
    for name in ("t.csv", "data/t.csv", ".env", "t.xlsx"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("a\n")
    (root / "out.csv").symlink_to(outside / "secret.csv")
    (root / "linked").symlink_to(outside, target_is_directory=True)
    text = sources(*(f"{{name: t, {entry}}}" for entry in entries))
    (root / "sources").mkdir()
    (root / "sources/company.yml").write_text(text)
    (root / "project.yml").write_text(
        "name: t\ntargets: {dev: {database: claude.duckdb}}\nconnections: {anthropic: {}}\n"
    )
    read, problems = load_project(root, environment=Environment({}))
    assert read is not None
    assert problems == ()
    _, problems = local_files(read)
    assert len(problems) == len(told)
    for problem, start in zip(problems, told, strict=True):
        assert str(problem).startswith(f"sources/company.yml:{start}")


def test_a_file_is_not_called_as_a_stream_of_its_source(
    project: MakeProject, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("a\n")
    text = sources("{name: cost_report, path: t.csv}").replace("company", "claude_platform")
    _, problems = local_files(project({"sources/company.yml": text}))
    assert [each.message for each in problems] == [
        "the source 'claude_platform' has a stream 'cost_report' too"
    ]


# What models read


MODELS = {
    "sources/company.yml": sources("{name: teams, path: t.csv}", "{name: usage_messages, path: x}"),
    "models/m/a.sql": "select * from {{ source('company', 'teams') }}",
    "models/m/b.sql": "select * from files.usage_messages join m.a using (x)",
    "models/m/c.sql": "select * from {{ source('claude_platform', 'usage_messages') }}",
}


def test_models_read_files_as_they_read_streams(graph: MakeGraph) -> None:
    made = graph(MODELS)
    assert made.models["a"].sql == "select * from files.teams"
    assert [table.relation for table in made.models["b"].sources] == ["files.usage_messages"]
    assert [table.is_file for table in made.models["b"].sources] == [True]


def test_a_file_that_is_called_as_a_stream_is_none(graph: MakeGraph) -> None:
    made = graph(MODELS)
    assert made.streams("b") == frozenset()
    assert made.streams("c") == {"usage_messages"}


def test_a_file_that_is_not_there_is_told_with_the_nearest_name(load: LoadGraph) -> None:
    sql = "select * from {{ source('company', 'team') }}"
    _, problems = load({**MODELS, "models/m/d.sql": sql})
    assert problems == [
        "models/m/d.sql:1: the source 'company' has no file 'team'\n    did you mean 'teams'?"
    ]


def test_no_model_is_made_among_the_files(load: LoadGraph) -> None:
    _, problems = load({"models/files/a.sql": "select 1 as x"})
    assert problems[0].startswith("models/files/a.sql: models can't be in a folder 'files'")


# What is read


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


# What version it is, and how fresh


def test_the_version_is_that_of_the_bytes_and_the_types(file: MakeFile) -> None:
    first = file("t.csv", "a\n1\n")
    made = version(first)
    os.utime(first.path, (0, 0))
    assert version(first) == made
    others = [
        version(file("t.csv", "a\n1\n", "columns: [{name: a, data_type: INTEGER}]")),
        version(file("t.csv", "a\n1\n", "columns: [{name: a, data_type: BIGINT}]")),
        version(file("t.csv", "a\n1\n", "format: json")),
        version(file("t.csv", "a\n2\n")),
    ]
    assert len({made, *others}) == 5
    assert version(file("t.csv", "a\n1\n", "description: A file.")) == made


@pytest.mark.parametrize(
    ("limits", "hours", "state", "words", "failed"),
    [
        ("{}", 1000, "ok", "of 2026-10-11 22:49, 41d 16h old", False),
        ("{warn_after: 1d}", 24, "ok", "of 2026-11-21 14:49, 1d old", False),
        ("{warn_after: 1d}", 25, "warn", "1d 1h old, more than 1d", False),
        ("{warn_after: 1d, error_after: 2d}", 49, "error", "2d 1h old, more than 2d", True),
        ("{error_after: 2d}", -5, "ok", "0m old", False),
    ],
)
def test_a_file_is_as_fresh_as_its_last_change(
    limits: str,
    hours: int,
    state: str,
    words: str,
    failed: bool,
    file: MakeFile,
    database: duckdb.DuckDBPyConnection,
    now: datetime,
) -> None:
    made = file("t.csv", "a\n", f"freshness: {limits}")
    changed = (now - timedelta(hours=hours)).timestamp()
    os.utime(made.path, (changed, changed))
    stands = standing(made, fresh_up_to(database, made), now)
    assert (stands.state, stands.failed) == (state, failed)
    assert words in str(stands)


@pytest.mark.parametrize(
    ("data_type", "values", "up_to"),
    [
        ("DATE", ["2026-11-20", "2026-11-19"], datetime(2026, 11, 20, tzinfo=UTC)),
        ("TIMESTAMP", ["", "2026-11-20T08:30:00"], datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("timestamptz", ["2026-11-20T08:30:00+02"], datetime(2026, 11, 20, 6, 30, tzinfo=UTC)),
        ("DATE", [], None),
    ],
)
def test_a_file_is_as_fresh_as_its_newest_row(
    data_type: str,
    values: list[str],
    up_to: datetime | None,
    file: MakeFile,
    database: duckdb.DuckDBPyConnection,
    now: datetime,
) -> None:
    entry = f"columns: [{{name: seen on, data_type: {data_type}}}], loaded_at: seen on"
    content = "seen on,x\n" + "".join(f"{value},1\n" for value in values)
    made = file("t.csv", content, f"{entry}, freshness: {{error_after: 1d}}")
    database.execute("SET TimeZone = 'Asia/Tokyo'")
    assert fresh_up_to(database, made) is None
    load(database, made)
    assert fresh_up_to(database, made) == up_to
    stands = standing(made, up_to, now)
    assert stands.failed
    assert stands.state == ("error" if up_to else "never")
    assert up_to is not None or str(stands) == "no row has a seen on"
