"""What a synthetic organisation's day costs, line by line, by a price list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from operator import add, attrgetter
from random import Random
from typing import Any, NamedTuple

from lading.sandbox.members import Members, Model
from lading.sandbox.usage import UsageEvent

NINE_DECIMALS = Decimal("0.000000001")
CENTS_OF_A_TOKEN = Decimal("0.0001")  # at one dollar per million tokens
CENTS_OF_A_WEB_SEARCH = Decimal("1.0")
CENTS_OF_AN_HOUR = {"code_execution": Decimal(5), "session_usage": Decimal(8)}


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a day's bill. `amount` is in cents, with up to nine decimals.

    The description determines all that follows it. What is not about tokens has no token type,
    model, tier, window and geo.
    """

    workspace_id: str | None
    description: str
    cost_type: str
    token_type: str | None
    model: str | None
    service_tier: str | None
    context_window: str | None
    inference_geo: str | None
    amount: Decimal


def make_cost_lines(
    members: Members, seed: int, day: date, events: Sequence[UsageEvent]
) -> tuple[CostLine, ...]:
    """The bill of one day. Tokens of the priority tier are paid for elsewhere and not on it."""
    return (
        *_token_lines(members, events),
        *_search_lines(events),
        *_hour_lines(members, seed, day),
    )


class _Terms(NamedTuple):
    """What the price of a token depends on besides its type."""

    model: str
    service_tier: str
    context_window: str
    inference_geo: str
    speed: str


_TOKEN_TYPES = {  # its name in the cost report, its name on the bill, its price against the model's
    "uncached_input_tokens": ("uncached_input_tokens", "Input Tokens", "1"),
    "output_tokens": ("output_tokens", "Output Tokens", "1"),
    "cache_read_input_tokens": ("cache_read_input_tokens", "Input Tokens, Cache Read", "0.1"),
    "ephemeral_5m_input_tokens": (
        "cache_creation.ephemeral_5m_input_tokens",
        "Input Tokens, Cache Write 5m",
        "1.25",
    ),
    "ephemeral_1h_input_tokens": (
        "cache_creation.ephemeral_1h_input_tokens",
        "Input Tokens, Cache Write 1h",
        "2",
    ),
}
_COUNTS = attrgetter(*_TOKEN_TYPES)
_WORKSPACE_AND_TERMS = attrgetter("workspace_id", *_Terms._fields)


def _token_lines(members: Members, events: Sequence[UsageEvent]) -> Iterator[CostLine]:
    models = {model.name: model for model in members.models}
    sums: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for event in events:
        if event.service_tier != "priority":
            key, counts = _WORKSPACE_AND_TERMS(event), _COUNTS(event)
            sums[key] = tuple(map(add, sums[key], counts)) if key in sums else counts
    for (workspace_id, *rest), totals in sums.items():
        terms = _Terms(*rest)
        for token_type, total in zip(_TOKEN_TYPES, totals, strict=True):
            if total:
                yield _token_line(workspace_id, models[terms.model], terms, token_type, total)


def _token_line(
    workspace_id: str | None, model: Model, terms: _Terms, token_type: str, count: int
) -> CostLine:
    return CostLine(
        workspace_id=workspace_id,
        description=_description(model, terms, token_type),
        cost_type="tokens",
        token_type=_TOKEN_TYPES[token_type][0],
        model=terms.model,
        service_tier=terms.service_tier,
        context_window=terms.context_window,
        inference_geo=terms.inference_geo,
        amount=count * _cents_of_a_token(model, terms, token_type),
    )


@cache
def _description(model: Model, terms: _Terms, token_type: str) -> str:
    remarks = {
        "Batch": terms.service_tier == "batch",
        "Long Context": terms.context_window == "200k-1M",
        "US": terms.inference_geo == "us",
        "Fast": terms.speed == "fast",
    }
    said = ", ".join(remark for remark, applies in remarks.items() if applies)
    text = f"{model.title} Usage - {_TOKEN_TYPES[token_type][1]}"
    return f"{text} ({said})" if said else text


@cache
def _cents_of_a_token(model: Model, terms: _Terms, token_type: str) -> Decimal:
    is_output = token_type == "output_tokens"
    price = model.output_price if is_output else model.input_price
    price *= Decimal(_TOKEN_TYPES[token_type][2]) * CENTS_OF_A_TOKEN
    price *= Decimal("0.5" if terms.service_tier == "batch" else "1")
    price *= Decimal("2" if terms.context_window == "200k-1M" else "1")
    price *= Decimal("1.1" if terms.inference_geo == "us" else "1")
    return price * Decimal("6" if terms.speed == "fast" else "1")


def _search_lines(events: Sequence[UsageEvent]) -> Iterator[CostLine]:
    searches: Counter[str | None] = Counter()
    for event in events:
        searches[event.workspace_id] += event.web_search_requests
    for workspace_id, count in searches.items():
        if count:
            amount = count * CENTS_OF_A_WEB_SEARCH
            yield _line_without_tokens(workspace_id, "Web Search Usage", "web_search", amount)


def _hour_lines(members: Members, seed: int, day: date) -> Iterator[CostLine]:
    """Code execution and session runtime: in the cost report alone, billed by the second."""
    chance = Random(f"cost {seed} {day}").random
    for workspace_id in members.workspace_ids:
        if chance() < 0.25:
            amount = _for_seconds("code_execution", 300 + int(chance() * 9000))
            description = "Code Execution Usage"
            yield _line_without_tokens(workspace_id, description, "code_execution", amount)
        if chance() < 0.15:
            amount = _for_seconds("session_usage", 60 + int(chance() * 30000))
            description = "Session Runtime Usage"
            yield _line_without_tokens(workspace_id, description, "session_usage", amount)


def _line_without_tokens(
    workspace_id: str | None, description: str, cost_type: str, amount: Decimal
) -> CostLine:
    return CostLine(workspace_id, description, cost_type, None, None, None, None, None, amount)


def _for_seconds(cost_type: str, seconds: int) -> Decimal:
    return (CENTS_OF_AN_HOUR[cost_type] * seconds / 3600).quantize(NINE_DECIMALS)
