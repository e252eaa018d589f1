"""The books answer in SQL what each run did, what is missing, and why."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.cli.books.conftest import begin_in_february

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.cli.books.conftest import Alter
    from tests.engine.conftest import Desk, MakeDesk

README = Path(__file__).parents[4] / "README.md"
CODE = "usage_report/claude_code"
OPEN = "asked for again until the lookback is over"

Row = tuple[Any, ...]


NOW = "2026-02-05 15:30:00"
# The first and the last day of each period, and the rest.
MISSING = """
SELECT starting_at::DATE::VARCHAR, (ending_at - INTERVAL 1 SECOND)::DATE::VARCHAR, slices,
    state, why
FROM lading.missing_at('{moment}'::TIMESTAMP) WHERE stream = '{stream}' ORDER BY ALL
"""


def missing(desk: Desk, stream: str, moment: str = NOW) -> list[Row]:
    """What is missing of a stream at a moment."""
    return desk.query(MISSING.format(stream=stream, moment=moment))


@pytest.fixture(scope="module")
def extracted(make_desk: MakeDesk) -> Desk:
    """A small project whose reports have landed. Not to be written to."""
    desk = begin_in_february(make_desk())
    assert desk.run("extract").code == 0
    return desk


def test_what_has_landed_and_is_not_final_is_open(extracted: Desk) -> None:
    assert missing(extracted, "claude_code") == [("2026-02-02", "2026-02-05", 4, "open", OPEN)]
    assert missing(extracted, "cost_report") == [("2026-02-02", "2026-02-04", 3, "open", OPEN)]


def test_days_that_nobody_has_asked_for_since(extracted: Desk) -> None:
    why = "no run has asked for it since it was over"
    later = missing(extracted, "claude_code", "2026-02-09 01:00:00")
    assert later[-1] == ("2026-02-06", "2026-02-08", 3, "not asked", why)
    # Cost comes for days that are over, so the fifth is due once it is.
    assert missing(extracted, "cost_report", "2026-02-05 23:59:59")[-1][3] == "open"
    due = missing(extracted, "cost_report", "2026-02-06 00:00:00")[-1]
    assert due == ("2026-02-05", "2026-02-05", 1, "not asked", why)


def test_a_slice_that_nobody_landed_is_a_gap(extracted: Desk, tmp_path: Path) -> None:
    import duckdb

    copied = tmp_path / "copy.duckdb"
    shutil.copy(extracted.database, copied)
    with duckdb.connect(str(copied)) as connection:
        connection.execute(
            "DELETE FROM lading.slices WHERE stream = 'claude_code' "
            "AND starting_at BETWEEN '2026-02-01' AND '2026-02-03'"
        )
        rows = connection.execute(MISSING.format(stream="claude_code", moment=NOW)).fetchall()
    assert rows == [
        ("2026-02-01", "2026-02-03", 3, "gap", "no run has landed it"),
        ("2026-02-04", "2026-02-05", 2, "open", OPEN),
    ]


def readme_query() -> str:
    """The query that the README gives for what is missing."""
    found = re.search(r'lading query "([^"]*lading\.missing[^"]*)"', README.read_text("utf-8"))
    assert found, "the README has no query of lading.missing"
    return found[1]


def test_what_failed_is_missing_with_the_last_error_until_it_lands(small: Desk) -> None:
    assert small.run("extract", "--select", "cost_report").code == 0
    small.anthropic.faults.add(Fault("403", path="cost_report", times=None))
    small.anthropic.faults.add(Fault("400", path=CODE, query="2026-02-05", times=None))
    assert small.run("extract").code == 1
    is_open, failed = missing(small, "claude_code")
    assert is_open == ("2026-02-02", "2026-02-04", 3, "open", OPEN)
    assert failed[:4] == ("2026-02-05", "2026-02-05", 1, "failed")
    assert re.match(
        r"Anthropic answers 400: invalid_request_error: .*\[req_sandbox\d+\]", failed[4]
    )
    # It has landed before, and could not be brought up to date.
    ((*period, state, why),) = missing(small, "cost_report")
    assert (*period, state) == ("2026-02-02", "2026-02-04", 3, "failed")
    assert why.startswith("Anthropic answers 403: permission_error")
    # The README's query says it too, and nothing of what will be asked for again anyway.
    done = small.run("query", "--output", "json", readme_query())
    assert done.code == 0, done.err
    rows = [each for each in json.loads(done.out) if each["state"] == "failed"]
    assert {each["stream"] for each in rows} == {"cost_report", "claude_code"}
    assert why in {each["why"] for each in rows}
    assert OPEN not in done.out
    small.anthropic.faults.clear()
    assert small.run("extract").code == 0
    assert missing(small, "claude_code") == [("2026-02-02", "2026-02-05", 4, "open", OPEN)]
    assert missing(small, "cost_report") == [("2026-02-02", "2026-02-04", 3, "open", OPEN)]


def test_a_bucket_that_the_report_did_not_have_is_a_gap(small: Desk, altered: Alter) -> None:
    def edit(path: str, data: list[dict[str, Any]]) -> None:
        if path.endswith("cost_report"):
            del data[0]

    altered(edit)
    assert small.run("extract", "--select", "cost_report").code == 0
    assert missing(small, "cost_report") == [
        ("2026-02-01", "2026-02-01", 1, "gap", "the report had no such bucket"),
        ("2026-02-02", "2026-02-04", 3, "open", OPEN),
    ]


def test_control_totals_that_differ_are_a_reason(small: Desk) -> None:
    small.anthropic.faults.add(Fault("undercount", every=1, times=None))
    assert small.run("extract", "--select", "usage_messages").code == 1
    # Of both views: the one that is too small can't be told from the other.
    found = missing(small, "usage_messages")
    assert {each[0] for each in found if each[3] == "differs"} >= {"2026-02-01"}
    for each in found:
        if each[3] == "differs":
            assert each[4].startswith("control totals differ: ")
            assert "output_tokens" in each[4]


def test_slices_are_as_long_as_the_buckets(small: Desk) -> None:
    widths = {"1h": 3600, "1m": 60}
    start = "start: '2026-02-05T13:00:00Z'"
    extracts = ", ".join(f"{{bucket_width: {width}, {start}}}" for width in widths)
    new = f"        lookback: 1h\n        extracts: [{extracts}]\n"
    small.edit("sources/claude.yml", "        lookback: 3d\n", new, 1)
    assert small.run("extract", "--select", "usage_messages", "--start", "2026-02-05").code == 0
    rows = small.query(
        "SELECT request ->> '$.bucket_width', starting_at, ending_at, slices "
        "FROM lading.missing_at('2026-02-05 18:00:00') "
        "WHERE request ->> '$.bucket_width' <> '1d' ORDER BY ALL"
    )
    assert {width for width, *_ in rows} == set(widths)
    for width, start_at, end_at, slices in rows:
        assert (end_at - start_at).total_seconds() == slices * widths[width]
    last = {width: end_at for width, _, end_at, _ in rows}
    assert set(last.values()) == {datetime.fromisoformat("2026-02-05 18:00:00")}
