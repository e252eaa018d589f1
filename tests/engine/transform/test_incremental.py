"""Incremental models: what stays, what is replaced, and when all of it is made anew."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.building import build

from lading.errors import Place
from lading.transform.build import NodeResult
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from tests.engine.transform.conftest import LoadGraph, MakeGraph

USAGE = "raw.usage_messages"
DAILY = """
    {{{{ config(materialized='incremental', time_column='day'{more}) }}}}
    select starting_at::date as day, (payload->>'tokens')::int as tokens
    from {{{{ source('claude_platform', 'usage_messages') }}}}
    {where}
    """
ONLY = "{%% if is_incremental() %%} where %s {%% endif %%}"
NEW_ONES = ONLY % "starting_at::date > (select max(day) from {{ this }})"


def daily(more: str = "", where: str = "") -> dict[str, str]:
    """A model of one row a day."""
    return {"models/m/daily.sql": DAILY.format(more=more, where=where)}


class Books:
    """A database in which slices land, each at a later moment than the one before."""

    def __init__(self, database: DuckDBPyConnection) -> None:
        self.database = database
        self._minute = 0
        prepare(database, ["usage_messages", "cost_report"])

    def land(self, day: str, *tokens: int, stream: str = "usage_messages") -> None:
        """A day's slice lands with a row for each of the tokens, in place of an earlier one."""
        self._minute += 1
        at = datetime.fromisoformat(day)
        fetched = datetime(2026, 6, 1, 12, self._minute)  # noqa: DTZ001 - as the books keep it
        for table in ("lading.slices", f"raw.{stream}"):
            where = "starting_at = ?" + (f" AND stream = '{stream}'" if "slices" in table else "")
            self.database.execute(f"DELETE FROM {table} WHERE {where}", [at])
        self.database.execute(
            "INSERT INTO lading.slices VALUES ('c', ?, '{}', ?, ?, ?, true, ?, 'run')",
            [stream, at, at, len(tokens), fetched],
        )
        for number, count in enumerate(tokens):
            self.database.execute(
                f"INSERT INTO raw.{stream} VALUES ('c', '{{}}', ?, ?, ?, ?, ?, 'run')",
                [at, at, number, f'{{"tokens": {count}}}', fetched],
            )

    def loses(self, day: str) -> None:
        """A day's raw rows are gone, and nobody says so."""
        self.database.execute(f"DELETE FROM {USAGE} WHERE starting_at = ?", [day])

    def spoil(self, relation: str = "m.daily", column: str = "tokens") -> None:
        """Mark the rows that are there, to know those that stay from those that are written."""
        self.database.execute(f"UPDATE {relation} SET {column} = -{column}")

    def rows(self, sql: str = "FROM m.daily") -> list[Any]:
        return self.database.execute(f"{sql} ORDER BY ALL").fetchall()

    def days(self) -> dict[int, int]:
        """The tokens by the day of January."""
        return {day.day: tokens for day, tokens in self.rows()}


@pytest.fixture
def books(database: DuckDBPyConnection) -> Books:
    return Books(database)


@pytest.fixture
def january(books: Books) -> Books:
    """Ten days with ten tokens a day."""
    for day in range(1, 11):
        books.land(f"2026-01-{day:02}", 10 * day)
    return books


def only(results: tuple[NodeResult, ...]) -> NodeResult:
    (result,) = results
    return result


TEN = {day: 10 * day for day in range(1, 11)}


def test_it_begins_with_all_rows(january: Books, graph: MakeGraph) -> None:
    assert only(build(graph(daily()), january.database)).rows == 10
    assert january.days() == TEN


@pytest.mark.parametrize(
    ("lookback", "first_written"), [("", 10), (", lookback='3d'", 7), (", lookback='40d'", 1)]
)
def test_rows_from_the_lookback_on_are_replaced_and_older_ones_stay(
    lookback: str, first_written: int, january: Books, graph: MakeGraph
) -> None:
    made = graph(daily(lookback))
    build(made, january.database)
    january.spoil()
    january.land("2026-01-11", 110)
    result = only(build(made, january.database))
    assert january.days() == {
        day: 10 * day if day >= first_written else -10 * day for day in range(1, 12)
    }
    assert result.rows == 12 - first_written


def test_rows_whose_source_is_gone_stay_before_the_lookback(
    january: Books, graph: MakeGraph
) -> None:
    made = graph(daily(", lookback='2d'"))
    build(made, january.database)
    for day in ("2026-01-03", "2026-01-09"):
        january.loses(day)
    january.land("2026-01-11", 110)
    build(made, january.database)
    assert january.days() == {day: 10 * day for day in range(1, 12) if day != 9}


@pytest.mark.parametrize("where", ["", NEW_ONES], ids=["all rows", "its own WHERE"])
def test_a_restated_slice_is_reached_however_old_it_is(
    where: str, january: Books, graph: MakeGraph
) -> None:
    made = graph(daily(", lookback='2d'", where))
    build(made, january.database)
    january.land("2026-01-03", 7777)
    january.land("2026-01-11", 110)
    build(made, january.database)
    assert january.days() == {**TEN, 3: 7777, 11: 110}


@pytest.mark.parametrize("where", ["", NEW_ONES], ids=["all rows", "its own WHERE"])
def test_a_slice_older_than_all_that_is_there_is_taken_in(
    where: str, january: Books, graph: MakeGraph
) -> None:
    made = graph(daily("", where))
    january.database.execute("DELETE FROM lading.slices WHERE starting_at < '2026-01-05'")
    january.database.execute(f"DELETE FROM {USAGE} WHERE starting_at < '2026-01-05'")
    build(made, january.database)
    january.land("2026-01-02", 20)
    build(made, january.database)
    assert january.days() == {day: 10 * day for day in (2, *range(5, 11))}


def test_a_restated_slice_without_rows_leaves_none(january: Books, graph: MakeGraph) -> None:
    made = graph(daily())
    build(made, january.database)
    january.land("2026-01-04")
    build(made, january.database)
    assert january.days() == {day: tokens for day, tokens in TEN.items() if day != 4}


def test_a_slice_that_landed_while_it_failed_is_not_forgotten(
    january: Books, graph: MakeGraph
) -> None:
    made = graph(daily())
    build(made, january.database)
    january.land("2026-01-02", 2222)
    january.database.execute(
        f"UPDATE {USAGE} SET payload = '{{\"tokens\": \"many\"}}' WHERE starting_at = '2026-01-05'"
    )
    assert only(build(made, january.database)).status == "error"
    january.land("2026-01-05", 50)
    january.land("2026-01-11", 110)
    build(made, january.database)
    assert january.days() == {**TEN, 2: 2222, 11: 110}


@pytest.mark.parametrize("grain", ["week", "month", "year"])
def test_a_coarser_time_than_the_slices_is_replaced_as_a_whole(
    grain: str, january: Books, graph: MakeGraph
) -> None:
    model = f"""
        {{{{ config(materialized='incremental', time_column='bucket') }}}}
        select date_trunc('{grain}', starting_at) as bucket,
            sum((payload->>'tokens')::int) as tokens
        from {{{{ source('claude_platform', 'usage_messages') }}}} group by all
        """
    made = graph({"models/m/daily.sql": model})
    for month in (2, 3):
        january.land(f"2026-{month:02}-20", 1000)
    build(made, january.database)
    january.land("2026-01-08", 5)
    january.land("2026-03-21", 1)
    build(made, january.database)
    expected = january.rows(
        f"SELECT date_trunc('{grain}', starting_at), sum((payload->>'tokens')::int) "
        f"FROM {USAGE} GROUP BY ALL"
    )
    assert january.rows() == expected


@pytest.mark.parametrize(
    "moment",
    ["starting_at", "starting_at AT TIME ZONE 'UTC'",
     "strftime(starting_at, '%Y-%m-%d %H:%M:%S')", "starting_at::date"],
)  # fmt: skip
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_any_type_of_time_will_do_wherever_the_computer_is(
    moment: str, zone: str, january: Books, graph: MakeGraph
) -> None:
    january.database.execute(f"SET GLOBAL TimeZone = '{zone}'")
    model = f"""
        {{{{ config(materialized='incremental', time_column='at') }}}}
        select {moment} as at, (payload->>'tokens')::int as tokens from (
            select * replace (starting_at + to_hours(8 * ordinal) as starting_at)
            from {{{{ source('claude_platform', 'usage_messages') }}}}
        )
        """
    made = graph({"models/m/daily.sql": model})
    january.land("2026-01-05", 50, 51, 52)
    build(made, january.database)
    january.land("2026-01-05", 5, 6, 7)
    january.land("2026-01-11", 11)
    build(made, january.database)
    assert january.rows("SELECT tokens FROM m.daily") == [
        (each,) for each in sorted([5, 6, 7, 11, *(10 * day for day in TEN if day != 5)])
    ]


def test_rows_of_no_time_are_neither_lost_nor_doubled(january: Books, graph: MakeGraph) -> None:
    model = DAILY.format(more="", where="").replace(
        "starting_at::date", "nullif(starting_at::date, DATE '2026-01-11')"
    )
    made = graph({"models/m/daily.sql": model})
    build(made, january.database)
    january.land("2026-01-11", 110)
    build(made, january.database)
    january.land("2026-01-12", 120)
    january.land("2026-01-11", 111)
    build(made, january.database)
    assert january.rows("SELECT tokens FROM m.daily WHERE day IS NULL") == [(111,)]
    assert january.rows("SELECT count(*) FROM m.daily") == [(12,)]


def test_a_models_own_where_loses_nothing_that_it_leaves_out(
    january: Books, graph: MakeGraph
) -> None:
    made = graph(daily(", lookback='5d'", NEW_ONES))
    build(made, january.database)
    january.spoil()
    january.land("2026-01-11", 110)
    january.land("2026-01-12", 120)
    assert only(build(made, january.database)).rows == 2
    assert january.days() == {**{day: -10 * day for day in range(1, 11)}, 11: 110, 12: 120}


def test_its_own_where_may_leave_out_everything(january: Books, graph: MakeGraph) -> None:
    made = graph(daily(", lookback='5d'", NEW_ONES))
    build(made, january.database)
    january.spoil()
    result = only(build(made, january.database, force=True))
    assert (result.status, result.rows) == ("ok", 0)
    assert january.days() == {day: -10 * day for day in range(1, 11)}


def test_its_own_where_may_go_by_anything_but_time(january: Books, graph: MakeGraph) -> None:
    where = "payload->>'tokens' not in (select tokens::varchar from {{ this }})"
    made = graph(daily("", ONLY % where))
    build(made, january.database)
    # What landed so is on no record of slices, so that only the model's own WHERE finds it.
    for day, tokens in (("2026-01-04 12:00", 41), ("2026-02-01", 42)):
        january.database.execute(
            f"INSERT INTO {USAGE} VALUES ('c', '{{}}', ?, ?, 1, ?, ?, 'run')",
            [day, day, f'{{"tokens": {tokens}}}', day],
        )
    build(made, january.database, force=True)
    days = [(each.isoformat(), tokens) for each, tokens in january.rows()]
    assert ("2026-02-01", 42) in days
    assert ("2026-01-04", 41) in days
    assert {each for each, _ in days} == {f"2026-01-{day:02}" for day in TEN} | {"2026-02-01"}


def test_an_empty_table_is_filled_whatever_its_own_where_says(
    books: Books, graph: MakeGraph
) -> None:
    made = graph(daily("", NEW_ONES))
    assert only(build(made, books.database)).rows == 0
    books.land("2026-01-01", 10)
    build(made, books.database)
    assert books.days() == {1: 10}


def test_no_new_rows_leave_what_is_there(january: Books, graph: MakeGraph) -> None:
    made = graph(daily(", lookback='1d'", "where payload->>'tokens' <> '110'"))
    build(made, january.database)
    january.land("2026-01-11", 110)
    assert only(build(made, january.database)).status == "ok"
    assert january.days() == TEN


def keyed(keys: str, where: str = "") -> dict[str, str]:
    """A model of the table `main.given`, which is no model and no source."""
    config = f"{{{{ config(materialized='incremental', unique_key={keys}) }}}}"
    return {"models/m/keyed.sql": f"{config} select * from main.given {where}"}


LATER = ONLY % "batch > (select max(batch) from {{ this }})"


@pytest.fixture
def given(books: Books) -> Books:
    """A table with rows of a first batch."""
    books.database.execute('CREATE TABLE given(batch INT, a VARCHAR, "order" INT, x INT)')
    books.database.execute(
        "INSERT INTO given VALUES (1, 'a', 1, 0), (1, 'a', 2, 0), (1, 'b', 1, 0), "
        "(1, 'b', NULL, 0), (1, NULL, NULL, 0)"
    )
    return books


def test_rows_of_the_same_key_are_replaced(given: Books, graph: MakeGraph) -> None:
    made = graph(keyed("['a', 'order']", LATER))
    build(made, given.database)
    given.database.execute(
        "INSERT INTO given VALUES (2, 'a', 2, 5), (2, 'b', NULL, 5), (2, NULL, NULL, 5), "
        "(2, NULL, 1, 5)"
    )
    assert only(build(made, given.database)).rows == 4
    assert given.rows('SELECT batch, a, "order", x FROM m.keyed') == [
        (1, "a", 1, 0),
        (1, "b", 1, 0),
        (2, "a", 2, 5),
        (2, "b", None, 5),
        (2, None, 1, 5),
        (2, None, None, 5),
    ]


def test_a_key_of_one_column_replaces_all_rows_that_have_it(given: Books, graph: MakeGraph) -> None:
    made = graph(keyed("'a'", LATER))
    build(made, given.database)
    given.database.execute("INSERT INTO given VALUES (2, 'a', 9, 9), (2, NULL, 9, 9)")
    build(made, given.database)
    assert given.rows("SELECT a, x FROM m.keyed") == [("a", 9), ("b", 0), ("b", 0), (None, 9)]


def test_rows_whose_key_is_gone_stay(given: Books, graph: MakeGraph) -> None:
    made = graph(keyed("['a', 'order']"))
    build(made, given.database)
    given.database.execute("DELETE FROM given WHERE a = 'b'")
    given.database.execute("UPDATE given SET x = 1")
    build(made, given.database)
    assert given.rows("SELECT a, x FROM m.keyed") == [
        ("a", 1), ("a", 1), ("b", 0), ("b", 0), (None, 1),
    ]  # fmt: skip


def test_an_empty_table_with_a_key_is_filled_whatever_its_own_where_says(
    given: Books, graph: MakeGraph
) -> None:
    given.database.execute("DELETE FROM given")
    made = graph(keyed("['a', 'order']", LATER))
    build(made, given.database)
    given.database.execute("INSERT INTO given VALUES (1, 'a', 1, 1)")
    build(made, given.database)
    assert given.rows("FROM m.keyed") == [(1, "a", 1, 1)]


def test_no_new_rows_of_a_key_leave_what_is_there(given: Books, graph: MakeGraph) -> None:
    made = graph(keyed("['a', 'order']", LATER))
    build(made, given.database)
    before = given.rows("FROM m.keyed")
    assert only(build(made, given.database, force=True)).rows == 0
    assert given.rows("FROM m.keyed") == before


def test_a_model_may_read_itself_as_it_stands(books: Books, graph: MakeGraph) -> None:
    model = """
        {{ config(materialized='incremental', unique_key='run') }}
        {% if is_incremental() %}
        select max(run) + 1 as run, sum(total)::int + 1 as total from {{ this }}
        {% else %}
        select 1 as run, 1 as total
        {% endif %}
        """
    made = graph(
        {"models/m/history.sql": model, "models/m/on.sql": "select * from {{ ref('history') }}"}
    )
    assert made.models["history"].depends_on == ()
    for _ in range(4):
        build(made, books.database, force=True)
    assert books.rows("FROM m.on") == [(1, 1), (2, 2), (3, 4), (4, 8)]


@pytest.mark.parametrize("itself", ["{{ this }}", "m.daily", '"M"."Daily"', "{{ ref('daily') }}"])
def test_for_all_its_rows_it_can_not_read_itself(itself: str, load: LoadGraph) -> None:
    _, problems = load({"models/m/daily.sql": f"select 1 as x from {itself}"})
    assert len(problems) == 1
    assert "models read each other in a circle: daily -> daily" in problems[0]


def test_by_ref_it_can_not_read_itself_at_all(load: LoadGraph) -> None:
    where = NEW_ONES.replace("{{ this }}", "{{ ref('daily') }}")
    _, problems = load(daily("", where))
    assert "models read each other in a circle: daily -> daily" in problems[0]


def change_sql(files: dict[str, str]) -> None:
    files["models/m/daily.sql"] = files["models/m/daily.sql"].replace("::int", "::int + 0")


def change_columns(files: dict[str, str]) -> None:
    files["models/m/daily.sql"] = files["models/m/daily.sql"].replace(
        " as tokens", " as tokens, 1 as z"
    )


def change_sql_above(files: dict[str, str]) -> None:
    files["models/m/above.sql"] += " where 1 = 1"


def change_settings(files: dict[str, str]) -> None:
    files["models/m/daily.sql"] = files["models/m/daily.sql"].replace(
        "='day'", "='day', lookback='1d'"
    )


def change_nothing(files: dict[str, str]) -> None:
    files["models/m/daily.sql"] += "\n-- a remark"


@pytest.mark.parametrize(
    ("change", "is_in_full"),
    [
        (change_nothing, False),
        (change_sql, True),
        (change_columns, True),
        (change_sql_above, True),
        (change_settings, True),
    ],
)
def test_what_changed_in_its_making_makes_it_in_full(
    change: Any, is_in_full: bool, january: Books, graph: MakeGraph
) -> None:
    files = daily()
    files["models/m/above.sql"] = "select * from {{ source('claude_platform', 'usage_messages') }}"
    files["models/m/daily.sql"] = files["models/m/daily.sql"].replace(
        "source('claude_platform', 'usage_messages')", "ref('above')"
    )
    build(graph(files), january.database)
    january.spoil()
    january.land("2026-01-11", 110)
    change(files)
    build(graph(files), january.database)
    stay = {} if is_in_full else {day: -10 * day for day in range(1, 10)}
    assert {row[0].day: row[1] for row in january.rows()} == {**TEN, 11: 110, **stay}


def test_columns_that_changed_though_no_sql_did_make_it_in_full(
    books: Books, graph: MakeGraph
) -> None:
    books.database.execute("CREATE TABLE given AS SELECT 1 AS k, 1 AS x")
    made = graph(keyed("'k'"))
    build(made, books.database)
    books.database.execute("CREATE OR REPLACE TABLE given AS SELECT 2 AS k, 2 AS x, 3 AS y")
    build(made, books.database)
    assert books.rows("FROM m.keyed") == [(2, 2, 3)]


def test_full_refresh_makes_incremental_models_anew_and_no_others(
    january: Books, graph: MakeGraph
) -> None:
    other = "{{ config(materialized='table') }} select 1 as tokens"
    made = graph({**daily(), "models/m/other.sql": other})
    build(made, january.database)
    january.spoil()
    january.spoil("m.other")
    results = build(made, january.database, full_refresh=True)
    assert {each.node: each.status for each in results} == {
        "model.daily": "ok",
        "model.other": "up to date",
    }
    assert january.days() == TEN
    assert january.rows("FROM m.other") == [(-1,)]


def test_a_table_that_somebody_dropped_is_made_in_full(january: Books, graph: MakeGraph) -> None:
    made = graph(daily("", NEW_ONES))
    build(made, january.database)
    january.database.execute("DROP TABLE m.daily")
    build(made, january.database)
    assert january.days() == TEN


def test_a_view_of_its_name_gives_way(january: Books, graph: MakeGraph) -> None:
    view = daily()["models/m/daily.sql"].replace("incremental', time_column='day'", "view'")
    build(graph({"models/m/daily.sql": view}), january.database)
    assert only(build(graph(daily()), january.database)).rows == 10
    assert january.days() == TEN


def test_another_table_that_changed_may_have_changed_any_row(
    january: Books, graph: MakeGraph
) -> None:
    january.database.execute("CREATE TABLE factor AS SELECT 1 AS f")
    model = daily()["models/m/daily.sql"].replace("::int", "::int * (select f from main.factor)")
    made = graph({"models/m/daily.sql": model})
    build(made, january.database)
    january.loses("2026-01-01")
    january.database.execute("UPDATE factor SET f = 3")
    build(made, january.database)
    # Of the first day there is nothing left to make it of.
    assert january.days() == {day: 30 * day if day > 1 else 10 for day in TEN}


def test_each_stream_is_reached_back_for_by_its_own_record(books: Books, graph: MakeGraph) -> None:
    model = """
        {{ config(materialized='incremental', time_column='day') }}
        select starting_at::date as day, sum((payload->>'tokens')::int) as tokens
        from (from {{ ref('usage') }} union all by name
              from {{ source('claude_platform', 'cost_report') }}) group by all
        """
    usage = "select * from {{ source('claude_platform', 'usage_messages') }}"
    made = graph({"models/m/daily.sql": model, "models/m/usage.sql": usage})
    for day in range(1, 6):
        books.land(f"2026-01-{day:02}", day)
        books.land(f"2026-01-{day:02}", 100 * day, stream="cost_report")
    build(made, books.database)
    books.land("2026-01-02", 7, stream="cost_report")
    build(made, books.database)
    books.land("2026-01-03", 8)
    build(made, books.database)
    assert books.days() == {1: 101, 2: 9, 3: 308, 4: 404, 5: 505}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("time_column='dya'", "its time_column is 'dya', and it has no such column"),
        ("unique_key=['day', 'tokns']", "its unique_key is 'tokns', and it has no such column"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    config: str, message: str, january: Books, graph: MakeGraph
) -> None:
    model = daily()["models/m/daily.sql"].replace("time_column='day'", config)
    result = only(build(graph({"models/m/daily.sql": model}), january.database))
    assert (result.status, result.message) == ("error", message)
    assert result.place == Place("models/m/daily.sql")
    assert result.hint is not None
    assert "did you mean" in result.hint
    assert january.rows("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'm'") == [(0,)]


def test_an_error_in_the_sql_for_new_rows_is_at_its_own_line(
    january: Books, graph: MakeGraph
) -> None:
    model = daily()["models/m/daily.sql"] + "\n{% if is_incremental() %}\n where nowhere{% endif %}"
    made = graph({"models/m/daily.sql": model})
    build(made, january.database)
    january.spoil()
    result = only(build(made, january.database, force=True))
    assert result.status == "error"
    assert "nowhere" in result.message
    assert result.place is not None
    assert result.place.file == "models/m/daily.sql"
    assert january.rows("SELECT max(tokens) FROM m.daily") == [(-10,)]
    assert january.rows("SELECT count(*) FROM duckdb_tables() WHERE temporary") == [(0,)]


def test_its_table_is_no_larger_than_before_when_nothing_is_new(
    january: Books, graph: MakeGraph
) -> None:
    made = graph(daily(", lookback='3d'"))
    for _ in range(3):
        build(made, january.database, force=True)
    assert january.rows("SELECT count(*), sum(tokens) FROM m.daily") == [(10, 550)]
    assert january.rows("SELECT count(*) FROM duckdb_tables() WHERE temporary") == [(0,)]
