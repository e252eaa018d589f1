"""The ungrouped extracts that go with grouped ones, to be compared with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import Place
from lading.extract.plan import Asking, Extract, Period, Plan, Scope, plan
from lading.extract.streams import Stream, check_streams, read_streams
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Project

DIMENSIONS = tuple("abcdefg")
WIDTHS = ("1d", "1h")
NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 20, tzinfo=UTC)
DAY = timedelta(days=1)


def stream(name: str, *totals: str, connection: str = "anthropic") -> Stream:
    return Stream(
        connection=connection,
        name=name,
        path=f"/v1/{name}",
        iterate="window",
        widths=WIDTHS,
        dimensions=DIMENSIONS,
        most_dimensions=3,
        page_sizes={"1d": 31, "1h": 168},
        beta={},
        has_current_period=True,
        lookback=3 * DAY,
        place=Place("sources/claude.yml", 1),
        control_totals=totals,
    )


CHECKED, FREE = stream("checked", "tokens", "cache.read"), stream("free")
STREAMS = (CHECKED, FREE)

moments = st.integers(0, 80).map(lambda days: TODAY - days * DAY)
askings = st.lists(
    st.builds(
        Asking,
        stream=st.sampled_from(["checked", "free"]),
        width=st.sampled_from(WIDTHS),
        dimensions=st.frozensets(st.sampled_from(DIMENSIONS), max_size=3),
        start=moments,
        by=st.just("a resource"),
        place=st.just(Place("mappings/claude.yml", 1)),
    ),
    max_size=6,
)


def ask(*dimensions: str, start: datetime = TODAY - 40 * DAY, width: str = "1d") -> Asking:
    place = Place("mappings/claude.yml", 1)
    return Asking("checked", width, frozenset(dimensions), start, "a resource", place)


def planned(
    asked: Sequence[Asking], closed: dict[tuple[str, str, str], list[Period]] | None = None
) -> Plan:
    return plan(STREAMS, asked, closed or {}, NOW)


def without(asked: Sequence[Asking]) -> Plan:
    return plan(STREAMS, asked, {}, NOW, Scope(control_totals=False))


@given(askings)
def test_each_grouped_extract_has_one_ungrouped_of_its_stream_and_width(
    asked: list[Asking],
) -> None:
    extracts = planned(asked).extracts
    for width in WIDTHS:
        views = [each for each in extracts if (each.stream, each.width) == (CHECKED, width)]
        grouped = [each for each in views if each.dimensions]
        ungrouped = [each for each in views if not each.dimensions]
        assert len(ungrouped) == bool(views)
        for each in grouped:
            assert ungrouped[0].start <= each.start
        if grouped:
            assert ungrouped[0].start == min(each.start for each in grouped)
            assert ungrouped[0].serves == ("control totals",)


@given(askings)
def test_nothing_but_them_is_added(asked: list[Asking]) -> None:
    plain, checked = without(asked), planned(asked)
    added = [each for each in checked.extracts if each.serves == ("control totals",)]
    assert [each for each in checked.extracts if each not in added] == list(plain.extracts)
    assert all(each.stream is CHECKED and not each.dimensions for each in added)
    kept = [each for each in checked.requests if each.extract not in added]
    assert kept == list(plain.requests)


@given(st.lists(st.frozensets(st.sampled_from(DIMENSIONS), min_size=1, max_size=3), min_size=1))
def test_an_asking_without_dimensions_still_shares_a_grouped_extract(
    groupings: list[frozenset[str]],
) -> None:
    asked = [ask(*each) for each in groupings]
    earlier = ask(start=TODAY - 60 * DAY)
    alone, shared = planned(asked).extracts, planned([*asked, earlier]).extracts
    assert [each.dimensions for each in shared] == [each.dimensions for each in alone]
    # It is served by one that begins early enough, as without control totals.
    assert min(each.start for each in shared if each.dimensions) == TODAY - 60 * DAY


def test_it_is_fetched_like_any_other_extract() -> None:
    grouped, ungrouped = planned([ask("a", "b")]).extracts
    assert (grouped.dimensions, ungrouped.dimensions) == (("a", "b"), ())
    requests = planned([ask("a", "b")]).requests
    first, second = (
        [each.period for each in requests if each.extract.key == extract.key]
        for extract in (grouped, ungrouped)
    )
    assert first == second
    assert len(first) == 2
    assert {each.reason for each in requests} == {"new"}


def test_what_is_closed_of_one_is_still_asked_for_of_the_other() -> None:
    """The history that was fetched before there were control totals gets its sibling."""
    grouped, ungrouped = planned([ask("a")]).extracts
    closed = {grouped.key: [Period(grouped.start, TODAY - 3 * DAY)]}
    requests = planned([ask("a")], closed).requests
    starts = {
        key: min(each.period.starting_at for each in requests if each.extract.key == key)
        for key in (grouped.key, ungrouped.key)
    }
    assert starts == {grouped.key: TODAY - 3 * DAY, ungrouped.key: grouped.start}


def test_each_organisation_has_its_own() -> None:
    streams = (stream("checked", "tokens"), stream("checked", "tokens", connection="eu"))
    extracts = plan(streams, [ask("a")], {}, NOW).extracts
    assert [(each.key[0], each.dimensions) for each in extracts] == [
        ("anthropic", ("a",)),
        ("anthropic", ()),
        ("eu", ("a",)),
        ("eu", ()),
    ]


@pytest.mark.parametrize(
    "wanted",
    [stream("checked"), stream("checked", "tokens")],
    ids=["a setting of the stream", "a run without"],
)
def test_it_can_be_turned_off(wanted: Stream) -> None:
    off = not wanted.control_totals
    extracts = plan([wanted], [ask("a")], {}, NOW, Scope(control_totals=off)).extracts
    assert extracts == (Extract(wanted, "1d", ("a",), TODAY - 40 * DAY, ("a resource",)),)


SOURCES = """\
sources:
  - name: claude
    connection: anthropic
    streams:
      - name: usage
        path: /v1/usage
        iterate: window
        params: {bucket_width: [1d], group_by: {max: 2, values: [model]}}
        page_size: 31
"""


def load(root: Path, sources: str) -> tuple[Project | None, str]:
    (root / "sources").mkdir(exist_ok=True)
    connections = "connections: {anthropic: {api_key: \"{{ env_var('KEY') }}\"}}"
    targets = "targets: {dev: {database: x.duckdb}}"
    (root / "project.yml").write_text(f"name: x\n{targets}\n{connections}\n", "utf-8")
    (root / "sources/claude.yml").write_text(sources, "utf-8")
    project, problems = load_project(root, environment=Environment({}))
    if project is not None:
        problems = (*problems, *check_streams(project))
    return project, "\n".join(f"{each.place}: {each.message}" for each in problems)


def test_the_paths_are_read_from_the_sources(tmp_path: Path) -> None:
    line = "        control_totals: [tokens, cache.read]\n"
    project, said = load(tmp_path, SOURCES + line)
    assert project is not None
    assert said == ""
    assert [each.control_totals for each in read_streams(project)] == [("tokens", "cache.read")]


@pytest.mark.parametrize("line", ["", "        control_totals: []\n"])
def test_without_any_they_are_off(tmp_path: Path, line: str) -> None:
    project, said = load(tmp_path, SOURCES + line)
    assert project is not None
    assert said == ""
    assert [each.control_totals for each in read_streams(project)] == [()]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("control_totals: true", "'control_totals' must be"),
        ("control_totals: [tokens, tokens]", "control_totals"),
        ('control_totals: ["a\'b"]', "can't be"),
        ("control_totals: [cache..read]", "can't be"),
    ],
)
def test_what_is_no_list_of_paths_is_told(tmp_path: Path, line: str, said: str) -> None:
    _, found = load(tmp_path, f"{SOURCES}        {line}\n")
    assert found.startswith("sources/claude.yml:10:")
    assert said in found


def test_a_stream_that_is_never_grouped_has_none(tmp_path: Path) -> None:
    ungrouped = SOURCES.replace(", group_by: {max: 2, values: [model]}", "")
    _, said = load(tmp_path, f"{ungrouped}        control_totals: [tokens]\n")
    assert said == (
        "sources/claude.yml:10:9: control totals compare grouped figures, and this stream has "
        "no group_by"
    )


def test_the_shipped_sources_have_them(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "sources" / "claude.yml"
    project, _ = load(tmp_path, shipped.read_text("utf-8"))
    assert project is not None
    totals = {each.name: each.control_totals for each in read_streams(project)}
    assert totals == {
        "usage_messages": (
            "uncached_input_tokens",
            "cache_creation.ephemeral_5m_input_tokens",
            "cache_creation.ephemeral_1h_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
            "server_tool_use.web_search_requests",
        ),
        "cost_report": ("amount",),
        "claude_code": (),
    }
