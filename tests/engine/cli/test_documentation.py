"""docs/*.md: the files that it shows make up a project, and the commands that it shows work."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk, Done

FIRST_DAY = datetime(2026, 2, 1, tzinfo=UTC)
DOCS = Path(__file__).parents[3] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:--|#) ((?:mappings|models|macros|queries|tests|sources|data)/\S+)\n")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    found = FENCE.findall((DOCS / page).read_text("utf-8"))
    return [text for name, text in found if name == language]


def lay_out(desk: Desk, page: str) -> list[str]:
    """Put the page's files into the project; gives their names."""
    names = []
    for language in ("sql", "yaml", "csv"):
        for text in blocks(page, language):
            if (named := NAMED.match(text)) is None:
                continue
            names.append(named[1])
            # A comment would be a line of a CSV.
            desk.write(named[1], text[named.end() :] if language == "csv" else text)
    return names


def commands(page: str) -> list[str]:
    """Each begins with a `$`; what does not goes on with the one before."""
    found = [each for text in blocks(page, "console") for each in f"\n{text}".split("\n$ ")[1:]]
    return [" ".join(each.partition("  #")[0].split()) for each in found]


@pytest.fixture
def landed(desk: Desk) -> Desk:
    """A project that has a few days of each report."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    assert desk.run("extract").code == 0
    return desk


def test_the_models_of_the_documentation_are_made_and_tested(landed: Desk) -> None:
    assert len(lay_out(landed, "models.md")) >= 10
    asked = commands("models.md")
    assert len(asked) >= 13
    first = landed.run("build")
    assert first.code == 0, first.err
    answers = {line: _answer(landed, line) for line in asked}
    for line, done in answers.items():
        assert done.code == 0, f"{line}: {done.err}"
    assert (
        "date_trunc('month', day)::DATE as month" in answers["lading compile tokens_by_month"].out
    )
    program = answers["lading compile mapping:claude_cost_record"].out
    assert "# mappings/claude_cost_record.jq" in program
    assert "def lading_entity:" in program
    unit = answers["lading test --select test_type:unit"]
    assert "PASS a_team_has_the_sum_of_its_workspaces" in unit.err
    teams = answers["lading show tokens_by_team --limit 5"].out
    total = landed.query(
        "SELECT sum(output_tokens) FROM marts.usage_by_day_and_workspace "
        "WHERE workspace_id = 'default'"
    )[0][0]
    assert teams.split() == [
        "team",
        "budget_usd",
        "output_tokens",
        "platform",
        "1200.50",
        str(total),
    ]


def test_the_mappings_of_the_documentation_give_entities(
    landed: Desk, reckoning: Reckoning
) -> None:
    (landed.root / "mappings/claude.yml").unlink()
    assert len(lay_out(landed, "mappings.md")) == 6
    assert landed.run("extract").code == 0
    answers = [_answer(landed, line) for line in commands("mappings.md")]
    assert [done.code for done in answers] == [0] * 7, [done.err for done in answers]
    assert not [line for done in answers for line in done.err.splitlines() if "warning" in line]
    used = reckoning.usage(landed.now, ["workspace_id", "model"], first=FIRST_DAY)
    assert {name: held["output_tokens"] for name, held in landed.held("team_tokens").items()} == {
        f"{workspace or 'default'}:{model or 'unknown'}:{day:%Y-%m-%d}": counts["output_tokens"]
        for (day, workspace, model), counts in used.items()
    }
    held = {name: each["amount_usd"] for name, each in landed.held("daily_cost").items()}
    costs = {f"{day}:USD": cents / 100 for day, cents in reckoning.cost(landed.now).items()}
    assert {name: usd for name, usd in held.items() if usd} == {
        name: usd for name, usd in costs.items() if name >= "2026-02-01"
    }
    assert len(held) > 3
    assert landed.held("team_workspace")


def test_the_questions_about_figures_have_answers(landed: Desk, reckoning: Reckoning) -> None:
    asked = commands("figures.md")
    assert len(asked) == 9
    assert landed.run("push").code == 0
    answers = {line: _answer(landed, line) for line in asked}
    assert {line: done.err for line, done in answers.items() if done.code} == {}
    cents = {str(day): each for day, each in reckoning.cost(landed.now).items()}
    by_day = answers[asked[0]].out.splitlines()[1:]
    shown = [line.split() for line in by_day if "." in line]
    assert len(shown) == 3
    for day, amount, usd in shown:
        due = cents.get(day, Decimal(0))  # a day may have had no cost
        assert (Decimal(amount), Decimal(usd)) == (due, due / 100)


def test_the_questions_of_the_documentation_are_answered(landed: Desk) -> None:
    assert lay_out(landed, "query.md") == ["queries/weekend_tokens.sql"]
    landed.write("question.sql", "SELECT 1 AS one")
    assert landed.run("build", "cost", "usage_by_day", "usage_by_day_and_model").code == 0
    asked = [each for each in commands("query.md") if each.startswith("lading query -")]
    asked = [
        each.partition(" > ")[0].replace(" question", f" {landed.root}/question") for each in asked
    ]
    assert len(asked) == 4
    for line in [*asked, "lading query --named weekend_tokens"]:
        done = _answer(landed, line)
        assert (done.code, done.err) == (0, ""), f"{line}: {done.err}"
    assert "weekend_tokens" in _answer(landed, "lading query --list").out
    page = (DOCS / "query.md").read_text("utf-8")
    shipped = {path.stem for path in (DOCS.parent / "queries").glob("*.sql")}
    assert shipped == set(re.findall(r"`(\w+)`", page)) & shipped


def _answer(desk: Desk, line: str) -> Done:
    program, *arguments = shlex.split(line)
    assert program == "lading"
    return desk.run(*arguments)


def test_the_commands_of_plan_and_push_work(
    landed: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where plan.json is saved
    asked = commands("push.md")
    assert len(asked) >= 12
    for line in asked:
        done = _answer(landed, line)
        # The first plan has something to do, and says so where it is asked to.
        assert done.code == int("--exit-code" in line), f"{line}: {done.err}"
    assert landed.run("plan", "--exit-code").code == 0
