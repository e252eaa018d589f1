"""A synthetic organisation's Claude Code analytics: one record for each actor, day, terminal,
customer type and local or remote use, as the API splits them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from lading.sandbox.members import Developer, Members, Model
from lading.sandbox.usage import Chance

ORGANIZATION_ID = "5a0db0c5-0000-4000-8000-000000000001"
TERMINALS = ("vscode", "iTerm.app", "tmux", "pycharm", "Apple_Terminal")
TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")


@dataclass(frozen=True, slots=True)
class CodeWork:
    """A whole day's record and the time of day (UTC) over which its figures grew."""

    begins: datetime
    ends: datetime
    record: dict[str, Any]

    def seen_at(self, moment: datetime) -> dict[str, Any] | None:
        """The record as far as it had come by `moment`; None before it began."""
        if moment < self.begins:
            return None
        if moment >= self.ends:
            return self.record
        done: dict[str, Any] = _scaled(
            self.record, (moment - self.begins) / (self.ends - self.begins)
        )
        done["core_metrics"]["num_sessions"] = max(1, done["core_metrics"]["num_sessions"])
        return done


@dataclass(frozen=True, slots=True)
class _Row:
    """What tells the records of one actor's day apart."""

    actor: dict[str, str]
    customer_type: str
    subscription_type: str | None
    terminal_type: str
    is_remote: bool


def make_code_work(members: Members, seed: int, day: date, active: float) -> tuple[CodeWork, ...]:
    """The day's records in the order in which they began, so one actor's are seldom together.

    `active` is the share of the developers who work that day.
    """
    chance = Random(f"code {seed} {day}").random
    midnight = datetime.combine(day, time(), UTC)
    rows = [
        *(row for one in members.developers if chance() < active for row in _rows(one, chance)),
        *(row for name in members.code_key_names if chance() < 0.8 for row in _ci(name, chance)),
    ]
    work = [_work(row, midnight, members.models, chance) for row in rows]
    return tuple(sorted(work, key=lambda one: one.begins))


def _rows(developer: Developer, chance: Chance) -> Iterator[_Row]:
    actor = {"type": "user_actor", "email_address": developer.email}
    paid = developer.subscription_type
    customer = "subscription" if paid else "api"
    first = int(chance() * len(TERMINALS))
    yield _Row(actor, customer, paid, TERMINALS[first], False)
    if chance() < 0.30:
        yield _Row(actor, customer, paid, TERMINALS[(first + 1) % len(TERMINALS)], False)
    if chance() < 0.15:
        yield _Row(actor, customer, paid, "non-interactive", True)
    if chance() < 0.10:
        customer, paid = ("api", None) if paid else ("subscription", "team")
        yield _Row(actor, customer, paid, TERMINALS[first], False)


def _ci(api_key_name: str, chance: Chance) -> Iterator[_Row]:
    actor = {"type": "api_actor", "api_key_name": api_key_name}
    yield _Row(actor, "api", None, "non-interactive", False)
    if chance() < 0.20:
        yield _Row(actor, "api", None, "non-interactive", True)


def _work(row: _Row, midnight: datetime, models: Sequence[Model], chance: Chance) -> CodeWork:
    begins = int(chance() * 1200)
    ends = begins + 1 + int(chance() * (1438 - begins))
    return CodeWork(
        midnight + timedelta(minutes=begins),
        midnight + timedelta(minutes=ends),
        _record(row, midnight.date(), models, chance),
    )


def _record(row: _Row, day: date, models: Sequence[Model], chance: Chance) -> dict[str, Any]:
    idle = row.actor["type"] == "api_actor" and chance() < 0.2
    record: dict[str, Any] = {
        "date": f"{day}T00:00:00Z",
        "actor": row.actor,
        "organization_id": ORGANIZATION_ID,
        "customer_type": row.customer_type,
        "terminal_type": row.terminal_type,
        "is_remote": row.is_remote,
        "core_metrics": _core_metrics(chance),
        "tool_actions": {} if idle else _tool_actions(chance),
        "model_breakdown": [] if idle else _model_breakdown(models, chance),
    }
    if row.subscription_type or chance() < 0.5:  # for API customers null, or not there at all
        record["subscription_type"] = row.subscription_type
    if chance() < 0.05:
        record["research_preview"] = {"background_agents": 1 + int(chance() * 4)}
    return record


def _core_metrics(chance: Chance) -> dict[str, Any]:
    size = 10 ** (1 + 2.5 * chance())
    return {
        "num_sessions": 1 + int(chance() * 8),
        "lines_of_code": {"added": int(size), "removed": int(size * chance() * 0.6)},
        "commits_by_claude_code": int(chance() * 5),
        "pull_requests_by_claude_code": int(chance() * 2.5),
    }


def _tool_actions(chance: Chance) -> dict[str, Any]:
    """Some tools are missing on some days, and some days have one that nobody has heard of."""
    tools = [tool for tool in TOOLS if chance() < 0.8]
    if chance() < 0.04:
        tools.append("skill_tool")
    return {tool: {"accepted": int(chance() * 40), "rejected": int(chance() * 6)} for tool in tools}


def _model_breakdown(models: Sequence[Model], chance: Chance) -> list[dict[str, Any]]:
    first, count = int(chance() * len(models)), 1 + int(chance() * min(3, len(models)))
    return [_model_share(models[(first + n) % len(models)], chance) for n in range(count)]


def _model_share(model: Model, chance: Chance) -> dict[str, Any]:
    size = int(10 ** (3 + 3 * chance()))
    tokens = {
        "input": size,
        "output": int(size * chance() / 2),
        "cache_read": int(size * 20 * chance()),
        "cache_creation": int(size * chance()),
    }
    return {
        "model": model.name,
        "tokens": tokens,
        "estimated_cost": {"currency": "USD", "amount": _estimate(model, tokens, chance)},
    }


def _estimate(model: Model, tokens: dict[str, int], chance: Chance) -> int | float:
    """Cents, as a JSON number: whole for some, with up to four decimals for others."""
    inputs = tokens["input"] + tokens["cache_read"] / 10 + tokens["cache_creation"] * 1.25
    dollars = inputs * float(model.input_price) + tokens["output"] * float(model.output_price)
    cents = dollars / 10_000
    return round(cents) if chance() < 0.4 else round(cents, 4)


def _scaled(value: Any, share: float) -> Any:
    if isinstance(value, dict):
        return {name: _scaled(part, share) for name, part in value.items()}
    if isinstance(value, list):
        return [_scaled(part, share) for part in value]
    if isinstance(value, float):
        return round(value * share, 4)
    return int(value * share) if type(value) is int else value
