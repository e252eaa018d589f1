"""`lading query --named`: the shipped questions, and those that a person adds."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.corrections import Correction

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, MakeDesk

    from lading.sandbox.organisation import Organisation
    from lading.sandbox.usage import UsageEvent

TODAY = date(2026, 2, 5)
NOW = datetime(2026, 2, 5, 15, 30, tzinfo=UTC)
RESTATED, MORE = date(2026, 1, 20), 1000
INPUT = (
    "uncached_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "cache_read_input_tokens",
)
# What the questions read.
READ = (
    *("cost", "cost_by_day", "workspaces", "usage_by_day", "usage_by_day_and_model"),
    *("cache_efficiency", "claude_code_daily", "restatements"),
)
Row = dict[str, str]


@pytest.fixture(scope="module")
def built(make_desk: MakeDesk) -> Desk:
    """A project that has cost split by all that it can be, and one day that was put right."""
    desk = make_desk()
    extract = "extracts: [{group_by: [workspace_id, description], start: '2026-01-01'}]"
    desk.edit(
        "sources/claude.yml",
        "control_totals: [amount]",
        f"control_totals: [amount]\n{' ' * 8}{extract}",
    )
    # Of the day that is put right later, nothing else has landed before.
    restated = ("--start", f"{RESTATED}", "--end", f"{RESTATED + timedelta(1)}")
    assert desk.run("extract", "-s", "usage_messages", *restated).code == 0
    fixed = desk.anthropic.organisation.corrected(RESTATED, Correction(more=MORE))
    desk.anthropic.organisation = fixed
    assert desk.run("extract", "--recheck", "35d").code == 0
    done = desk.run("build", *READ)
    assert done.code == 0, done.err
    return desk


def asked(desk: Desk, name: str, **variables: object) -> list[Row]:
    given = [word for key, value in variables.items() for word in ("--var", f"{key}={value}")]
    done = desk.run("query", "--named", name, "-o", "csv", *given)
    assert done.code == 0, done.err
    return list(csv.DictReader(StringIO(done.out)))


def cents(amount: Decimal) -> str:
    """An amount of cents in dollars, to the cent."""
    return str((amount / 100).quantize(Decimal("0.01"), ROUND_HALF_UP))


def tenths(part: int | Decimal, whole: int | Decimal) -> str:
    """A hundred times the one in the other, rounded as the macros do."""
    millionths = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    return str(millionths.quantize(Decimal("0.1"), ROUND_HALF_UP))


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def events(desk: Desk, day: date) -> tuple[UsageEvent, ...]:
    return desk.anthropic.organisation.usage_events(day, NOW)


def inputs(event: UsageEvent) -> int:
    return sum(getattr(event, name) for name in INPUT)


def spend(organisation: Organisation, by: str, without: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for day in days(TODAY - timedelta(30), TODAY - timedelta(1)):
        for line in organisation.cost_lines(day):
            key = getattr(line, by) or (without if by == "workspace_id" else line.cost_type)
            found[key] += line.amount  # type: ignore[assignment]
    return found


def shares(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [(name, cents(amount), tenths(amount, total)) for name, amount in ranked]


def test_spend_by_workspace_and_by_model(built: Desk) -> None:
    organisation = built.anthropic.organisation
    names = dict(
        built.query("SELECT workspace_id, coalesce(name, workspace_id) FROM marts.workspaces")
    )
    by_id = spend(organisation, "workspace_id", "default")
    found = [tuple(row.values()) for row in asked(built, "spend_by_workspace")]
    assert found == shares({names[each]: amount for each, amount in by_id.items()})
    assert len(found) > 3
    found = [tuple(row.values()) for row in asked(built, "spend_by_model")]
    assert found == shares(spend(organisation, "model", ""))
    assert len(found) > 4


def test_cost_this_month(built: Desk) -> None:
    expected, total = [], Decimal()
    for number, day in enumerate(days(date(2026, 2, 1), date(2026, 2, 4)), start=1):
        amount = sum((x.amount for x in built.anthropic.organisation.cost_lines(day)), Decimal())
        total += amount
        pace = total * 28 / number
        expected.append((f"{day}", cents(amount), cents(total), cents(pace)))
    assert [tuple(row.values()) for row in asked(built, "cost_this_month")] == expected


def test_tokens_by_day(built: Desk) -> None:
    expected = [
        (
            f"{day}",
            str(sum(map(inputs, events(built, day)))),
            str(sum(each.cache_read_input_tokens for each in events(built, day))),
            str(sum(each.output_tokens for each in events(built, day))),
            str(sum(each.web_search_requests for each in events(built, day))),
        )
        for day in reversed(days(RESTATED, TODAY))
    ]
    found = asked(built, "tokens_by_day", days=(TODAY - RESTATED).days + 1)
    assert [tuple(row.values()) for row in found] == expected


def test_cache_efficiency(built: Desk) -> None:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for day in days(TODAY - timedelta(29), TODAY):
        for each in events(built, day):
            sums[each.model]["all"] += inputs(each)
            sums[each.model]["from"] += each.cache_read_input_tokens
            sums[each.model]["into"] += (
                each.ephemeral_5m_input_tokens + each.ephemeral_1h_input_tokens
            )
    found = asked(built, "cache_efficiency")
    assert [row["model"] for row in found] == sorted(sums, key=lambda each: -sums[each]["all"])
    for row in found:
        one = sums[row["model"]]
        figures = (row["input_tokens"], row["from_cache"], row["into_cache"])
        assert figures == (str(one["all"]), str(one["from"]), str(one["into"]))
        assert row["percent_from_cache"] == tenths(one["from"], one["all"])
        assert row["reads_per_write"] == tenths(one["from"], one["into"] * 100)


def code_by_developer(desk: Desk) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for day in days(TODAY - timedelta(29), TODAY):
        for record in desk.anthropic.organisation.code_records(day, NOW - timedelta(hours=1)):
            actor = record["actor"]
            found[actor.get("api_key_name") or actor["email_address"]].append(record)
    return found


def test_claude_code_by_developer(built: Desk) -> None:
    found = {row["developer"]: row for row in asked(built, "claude_code_by_developer")}
    records = code_by_developer(built)
    assert found.keys() == records.keys()
    for name, some in records.items():
        core = [each["core_metrics"] for each in some]
        tools = [tool for each in some for tool in each["tool_actions"].values()]
        accepted = sum(tool["accepted"] for tool in tools)
        assert tuple(found[name].values())[1:] == (
            str(sum(each["num_sessions"] for each in core)),
            str(sum(each["lines_of_code"]["added"] for each in core)),
            str(sum(each["lines_of_code"]["removed"] for each in core)),
            str(sum(each["commits_by_claude_code"] for each in core)),
            str(sum(each["pull_requests_by_claude_code"] for each in core)),
            tenths(accepted, accepted + sum(tool["rejected"] for tool in tools)),
        )


def test_top_developers(built: Desk) -> None:
    amounts = {
        name: sum(
            Decimal(repr(share["estimated_cost"]["amount"]))
            for each in some
            for share in each["model_breakdown"]
        )
        for name, some in code_by_developer(built).items()
    }
    top = sorted(amounts, key=lambda each: (-amounts[each], each))[:5]
    found = asked(built, "top_developers", top=5)
    expected = [(name, cents(Decimal(amounts[name]))) for name in top]
    assert [(row["developer"], row["estimated_usd"]) for row in found] == expected


def test_top_movers(built: Desk) -> None:
    tokens: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for number, day in enumerate(days(TODAY - timedelta(6), TODAY - timedelta(1))):
        for each in events(built, day):
            tokens[each.model][number // 3] += inputs(each) + each.output_tokens
    found = asked(built, "top_movers", days=3, top=3)
    ranked = sorted(tokens, key=lambda each: -abs(tokens[each][1] - tokens[each][0]))[:3]
    assert [row["model"] for row in found] == ranked
    for row in found:
        before, after = tokens[row["model"]]
        assert (row["tokens_before"], row["tokens"], row["change"]) == (
            str(before),
            str(after),
            str(after - before),
        )
        sign = "-" if after < before else ""
        assert row["percent"] == sign + tenths(abs(after - before), before)


def test_restated_days(built: Desk) -> None:
    found = asked(built, "restated_days")
    # As often as it was fetched: grouped and not.
    assert {(row["stream"], row["day"], row["field"]) for row in found} == {
        ("usage_messages", f"{RESTATED}", "output_tokens")
    }
    assert {Decimal(row["moved"]) for row in found} == {Decimal(MORE)}


def test_stale_streams(built: Desk) -> None:
    found = {(row["stream"], row["grouped_by"]): row for row in asked(built, "stale_streams")}
    cost = found["cost_report", '["description","workspace_id"]']
    assert (cost["landed_up_to"], cost["hours_behind"]) == ("2026-02-05 00:00:00", "15")
    assert {row["missing_slices"] for row in found.values()} == {"0"}
    usage = found["usage_messages", '["model","workspace_id"]']
    assert (usage["landed_up_to"], usage["hours_behind"]) == ("2026-02-06 00:00:00", "0")


def test_the_list_has_all_with_what_they_ask(built: Desk) -> None:
    done = built.run("query", "--list", "-o", "json")
    listed = {each["name"]: each["description"] for each in json.loads(done.out)}
    files = {path.stem for path in (built.root / "queries").glob("*.sql")}
    assert listed.keys() == files
    assert len(files) == 10
    assert all(listed.values())
    assert listed["tokens_by_day"].startswith("Tokens by UTC day, the last days first (--var days")
    for name in files:
        assert f"\n{name}  " in f"\n{built.run('query', '--list').out}"


OWN = """/* How many days
   there are. */
-- and no more
select count(*) as days from {{ ref('usage_by_day') }} where day >= '{{ var('since') }}'
"""


def test_a_question_of_ones_own_from_a_folder_of_ones_own(desk: Desk) -> None:
    desk.edit("project.yml", "query-paths: [queries]", "query-paths: [asked/often]")
    desk.write("asked/often/by me/days_since.sql", OWN)
    done = desk.run("query", "--list")
    assert done.out == "days_since  How many days there are.\n"
    desk.now = datetime(2026, 1, 3, tzinfo=UTC)
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-01-02")
    missing = desk.run("query", "--named", "days_since", "--var", "since=2026-01-01")
    assert (missing.code, "no database" in missing.err) == (1, True)
    unset = desk.run("query", "--named", "days_since")
    assert unset.code == 2
    assert "asked/often/by me/days_since.sql:4" in unset.err
    other = desk.run("query", "--named", "days_sins")
    assert (other.code, "did you mean 'days_since'?" in other.err) == (2, True)


BROKEN = [
    ("selekt 1", "queries/mine.sql:1:1: error: syntax error"),
    ("-- x\n\nselect 1;\nselect 2", "queries/mine.sql:4:1: error: there is a second statement"),
    ("", "queries/mine.sql: error: the question is empty"),
    ("select {{ ref('usage_by_dy') }}", "queries/mine.sql:1:16: error: there is no model"),
    (
        "select dya\nfrom {{ ref('usage_by_day') }}",
        "queries/mine.sql:1:8: error: there is no column",
    ),
    ("select\n  {{ var('x' }}", "queries/mine.sql:2"),
]


def test_what_is_wrong_with_a_question_is_found_by_compile(desk: Desk) -> None:
    """All of it at once; and nothing but the question depends on it."""
    for number, (text, _) in enumerate(BROKEN):
        desk.write(f"queries/mine_{number}.sql", text)
    desk.write("queries/more/mine_0.sql", "from lading.runs")
    desk.write("queries/fine.sql", "from lading.runs join elsewhere using (run_id)")
    assert desk.run("ls").code == 0
    done = desk.run("compile")
    assert done.code == 2
    for number, (_, said) in enumerate(BROKEN):
        assert said.replace("mine", f"mine_{number}") in done.err
    assert "there are two questions 'mine_0'" in done.err
    assert "warning: there is no table 'elsewhere'" in done.err
    assert "a model" not in done.err


def test_a_broken_model_keeps_no_other_question_from_being_asked(built: Desk) -> None:
    built.write("models/marts/broken.sql", "selekt")
    built.write("mappings/broken.yml", "resources: 1")
    try:
        assert asked(built, "tokens_by_day", days=1)
    finally:
        (built.root / "models/marts/broken.sql").unlink()
        (built.root / "mappings/broken.yml").unlink()


def test_what_is_wrong_while_it_is_asked_names_the_line(built: Desk) -> None:
    done = built.run("query", "--named", "tokens_by_day", "--var", "days=many")
    assert done.code == 2
    assert "queries/tokens_by_day.sql:10" in done.err
    assert "Could not convert string 'many'" in done.err
    both = built.run("query", "--named", "tokens_by_day", "SELECT 1")
    assert (both.code, "not both" in both.err) == (2, True)
