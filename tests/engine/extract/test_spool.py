"""Left-behind spools, made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lading.errors import DatabaseBusyError, DatabaseError
from lading.extract.landing import land
from lading.extract.run import recover
from lading.extract.spool import Arrival, Spool, left_behind
from lading.warehouse.database import Database
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench

RUN = "20260320T120000-aaaaaa"
REQUEST = '{"path": "/v1/organizations/usage_report/claude_code"}'


@pytest.fixture
def shop(make_bench: Callable[..., Bench]) -> Bench:
    """A bench whose server does not matter, with its tables."""
    bench = make_bench("http://127.0.0.1:9")
    with bench.database.writing() as connection:
        prepare(connection, ["claude_code"])
    return bench


def arrive(spool: Spool, day: int, *pages: list[bytes], run: str = RUN) -> Arrival:
    """A day of claude_code in the spool, as a run that went on would leave it."""
    name = f"{run}-{day:06d}"
    files = [spool.write_page(f"{name}-{n:05d}", page) for n, page in enumerate(pages)]
    records = [record for page in pages for record in page]
    arrival = Arrival(
        request_id=name,
        run_id=run,
        connection="anthropic",
        stream="claude_code",
        request=REQUEST,
        reason="new",
        starting_at=f"2026-03-{day:02d}T00:00:00",
        ending_at=f"2026-03-{day + 1:02d}T00:00:00",
        slice_seconds=86_400,
        closes_at="2026-03-17T00:00:00",
        asked_at="2026-03-20T12:00:01",
        fetched_at="2026-03-20T12:00:02",
        files=tuple(files),
        records=len(records),
        size=sum(map(len, records)),
        retries=0,
        largest=max(map(len, records), default=0),
        left_out=(),
        organization="",
    )
    spool.arrived(arrival)
    return arrival


def record(day: int, number: int) -> bytes:
    return json.dumps({"date": f"2026-03-{day:02d}", "n": number}).encode()


def there(bench: Bench) -> dict[int, list[int]]:
    """Day -> the numbers of its records, for all days on record."""
    found: dict[int, list[int]] = {
        day: [] for (day,) in bench.query("SELECT day(starting_at) FROM lading.slices")
    }
    for day, number in bench.query(
        "SELECT day(starting_at), (payload ->> '$.n')::INT FROM raw.claude_code ORDER BY ordinal"
    ):
        found[day].append(number)
    return found


def test_what_a_dead_run_left_is_landed_once(shop: Bench) -> None:
    spool = Spool(shop.database.spool, RUN)
    arrive(spool, 10, [record(10, 1), record(10, 2)], [record(10, 3)])
    arrive(spool, 11, [])
    spool.write_page("a-page-without-a-note", [record(12, 1)])
    assert recover(shop.database) == 3
    assert there(shop) == {10: [1, 2, 3], 11: []}
    assert shop.spooled() == []
    assert recover(shop.database) == 0
    assert there(shop) == {10: [1, 2, 3], 11: []}
    rows = shop.query(
        "SELECT run_id, status, pages, records, started_at FROM lading.requests ORDER BY request_id"
    )
    asked = datetime.fromisoformat("2026-03-20T12:00:01")
    assert rows == [(RUN, "landed", 2, 3, asked), (RUN, "landed", 1, 0, asked)]


def test_of_two_dead_runs_the_later_one_counts(shop: Bench) -> None:
    later = "20260320T130000-000000"
    arrive(Spool(shop.database.spool, later), 10, [record(10, 7)], run=later)
    arrive(Spool(shop.database.spool, RUN), 10, [record(10, 1), record(10, 2)])
    recover(shop.database)
    assert there(shop) == {10: [7]}


def torn_note(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def note_of_another_version(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "unheard_of": 1}))


def note_without_files(path: Path) -> None:
    note = json.loads(path.read_text())
    del note["files"]
    path.write_text(json.dumps(note))


def note_of_rubbish(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 100)


def note_that_is_a_list(path: Path) -> None:
    path.write_text("[]")


def page_of(note: Path) -> Path:
    return note.with_name(note.stem + "-00000.json")


def missing_page(path: Path) -> None:
    page_of(path).unlink()


def torn_page(path: Path) -> None:
    page = page_of(path)
    page.write_bytes(page.read_bytes()[:-3])


def page_cut_between_records(path: Path) -> None:
    page = page_of(path)
    page.write_bytes(page.read_bytes().splitlines()[0])


def empty_page(path: Path) -> None:
    page_of(path).write_bytes(b"")


def page_of_zeros(path: Path) -> None:
    page = page_of(path)
    page.write_bytes(b"\0" * page.stat().st_size)


@pytest.mark.parametrize(
    "damage",
    [
        torn_note,
        note_of_another_version,
        note_without_files,
        note_of_rubbish,
        note_that_is_a_list,
        missing_page,
        torn_page,
        page_cut_between_records,
        empty_page,
        page_of_zeros,
    ],
)
def test_what_is_damaged_is_left_out_told_and_cleared(
    shop: Bench, damage: Callable[[Path], None]
) -> None:
    spool = Spool(shop.database.spool, RUN)
    for day in (10, 11, 12):
        arrive(spool, day, [record(day, 1), record(day, 2)])
    damage(spool.folder / f"{RUN}-000011.note")
    assert recover(shop.database) == 4
    assert there(shop) == {10: [1, 2], 12: [1, 2]}
    assert shop.spooled() == []
    assert any('"level": "warning"' in line and "again" in line for line in shop.lines)


def test_landing_is_all_or_nothing(shop: Bench) -> None:
    spool = Spool(shop.database.spool, RUN)
    good = arrive(spool, 10, [record(10, 1)])
    bad = replace(arrive(spool, 11, [record(11, 1)]), records=2)
    with shop.database.writing() as connection, pytest.raises(DatabaseError, match="3 records"):
        land(connection, [good, bad])
    assert there(shop) == {}
    assert shop.query("SELECT count(*) FROM lading.requests") == [(0,)]


def test_a_spool_stays_while_something_in_it_is_to_be_loaded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, RUN)
    arrival = arrive(spool, 10, [record(10, 1)])
    spool.close()
    ((folder, found),) = left_behind(tmp_path)
    assert (folder, found) == (spool.folder, (arrival,))
    spool.landed([arrival])
    spool.close()
    assert list(left_behind(tmp_path)) == []
    assert not spool.folder.exists()


def test_a_database_that_is_held_costs_nothing_of_the_spool(shop: Bench) -> None:
    import subprocess
    import sys

    arrive(Spool(shop.database.spool, RUN), 10, [record(10, 1)])
    before = shop.spooled()
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(shop.database.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DatabaseBusyError):
            recover(Database(shop.database.path, wait=0))
        holder.communicate(b"\n")
    assert shop.spooled() == before
    assert recover(shop.database) == 1


@pytest.mark.parametrize("name", ["a[b]c", "st*r", "spa ce 'quote' \"two\"", "ünï{x,y}"])
def test_a_project_may_be_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    database = Database(tmp_path / name / "claude.duckdb")
    with database.writing() as connection:
        prepare(connection, ["claude_code"])
    arrive(Spool(database.spool, RUN), 10, [record(10, 1)], [record(10, 2)])
    assert recover(database) == 2


def test_the_moments_are_utc(shop: Bench) -> None:
    arrive(Spool(shop.database.spool, RUN), 10, [record(10, 1)])
    recover(shop.database)
    ((start, end, fetched),) = shop.query(
        "SELECT starting_at, ending_at, fetched_at FROM lading.slices"
    )
    assert [moment.replace(tzinfo=UTC).isoformat() for moment in (start, end, fetched)] == [
        "2026-03-10T00:00:00+00:00",
        "2026-03-11T00:00:00+00:00",
        "2026-03-20T12:00:02+00:00",
    ]
