"""Files of a project as sources: what is declared, what models read, and how fresh they are."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.transform.conftest import sources

from lading.project.environment import Environment
from lading.project.load import load_project
from lading.transform.local_files import fresh_up_to, local_files, standing, version
from lading.transform.local_tables import load

if TYPE_CHECKING:
    import duckdb
    from tests.engine.transform.conftest import LoadGraph, MakeFile, MakeGraph, MakeProject


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
        "models/m/d.sql:1:26: the source 'company' has no file 'team'\n    did you mean 'teams'?"
    ]


def test_no_model_is_made_among_the_files(load: LoadGraph) -> None:
    _, problems = load({"models/files/a.sql": "select 1 as x"})
    assert problems[0].startswith("models/files/a.sql: models can't be in a folder 'files'")


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
