"""A synthetic organisation's use of the Messages API, event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from lading.sandbox.members import Members, Model

BEYOND_32_BITS = 2**31 + 12_345


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """What was used in one minute (UTC) at the finest grain that the usage report knows.

    workspace_id        None: the default workspace
    api_key_id          None: used in the Console, by sign-in or by a service account
    account_id          None: not by sign-in
    service_account_id  None: not by a service account
    research_preview_requests  a counter that no documentation mentions
    """

    minute: datetime
    workspace_id: str | None
    api_key_id: str | None
    account_id: str | None
    service_account_id: str | None
    model: str
    service_tier: str
    context_window: str
    inference_geo: str
    speed: str
    uncached_input_tokens: int
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    web_search_requests: int
    research_preview_requests: int


Chance = Callable[[], float]
"""A number in [0, 1). Only `Random.random` is promised to stay the same in all Pythons."""


def make_usage_events(
    members: Members, seed: int, day: date, busy: float
) -> tuple[UsageEvent, ...]:
    """The events of one day, oldest first. `busy` scales the token counts."""
    chance = Random(f"usage {seed} {day}").random
    midnight = datetime.combine(day, time(), UTC)
    events = [_console_event(members, chance, midnight, day.toordinal() % 5 == 0)]
    for workspace_id in members.workspace_ids:
        for model in members.models:
            if chance() < 0.75:
                events.extend(_events_of(members, chance, midnight, workspace_id, model, busy))
    return tuple(sorted(events, key=lambda event: event.minute))


def _console_event(members: Members, chance: Chance, midnight: datetime, huge: bool) -> UsageEvent:
    """Each day has use without a key in the default workspace; some days a huge one or nothing."""
    tokens = (BEYOND_32_BITS + int(chance() * 1_000_000_000), 0, 0, BEYOND_32_BITS, 5_000)
    model = members.models[0]
    return UsageEvent(
        midnight + timedelta(minutes=int(chance() * 600)),
        *(None, None, None, None),
        *(model.name, "standard", "0-200k", "global", "standard"),
        *(tokens if huge else (0, 0, 0, 0, 0)),
        *(0, 0),
    )


def _events_of(
    members: Members,
    chance: Chance,
    midnight: datetime,
    workspace_id: str | None,
    model: Model,
    busy: float,
) -> Iterator[UsageEvent]:
    for _ in range(1 + int(chance() * 2.2)):
        yield UsageEvent(
            midnight + timedelta(minutes=int(chance() * 1440)),
            workspace_id,
            *_identity(members, chance, workspace_id),
            model.name,
            *_terms(chance, model),
            *_tokens(chance, busy),
            web_search_requests=int(chance() * 20) if chance() < 0.15 else 0,
            research_preview_requests=1 + int(chance() * 3) if chance() < 0.05 else 0,
        )


def _identity(
    members: Members, chance: Chance, workspace_id: str | None
) -> tuple[str | None, str | None, str | None]:
    """(api_key_id, account_id, service_account_id): a key most of the time, else one or none."""
    who, which = chance(), chance()
    if who < 0.70:
        keys = members.keys_of(workspace_id)
        return keys[int(which * len(keys))].id, None, None
    if who < 0.80:
        return None, members.developers[int(which * len(members.developers))].account_id, None
    if who < 0.90:
        accounts = members.service_account_ids
        return None, None, accounts[int(which * len(accounts))]
    return None, None, None


def _terms(chance: Chance, model: Model) -> tuple[str, str, str, str]:
    """(service_tier, context_window, inference_geo, speed)"""
    tier = chance()
    geo = "us" if chance() < 0.2 else "global"
    return (
        "standard" if tier < 0.75 else "batch" if tier < 0.9 else "priority",
        "200k-1M" if chance() < 0.12 else "0-200k",
        geo if model.knows_inference_geo else "not_available",
        "fast" if model.knows_inference_geo and chance() < 0.08 else "standard",
    )


def _tokens(chance: Chance, busy: float) -> tuple[int, int, int, int, int]:
    """(uncached, written for 5 minutes, written for 1 hour, read from the cache, output)"""
    size = busy * 10 ** (2 + 4 * chance())
    return (
        int(size),
        int(size * chance()) if chance() < 0.4 else 0,
        int(size * chance()) if chance() < 0.2 else 0,
        int(size * 8 * chance()) if chance() < 0.7 else 0,
        int(size * chance() / 3),
    )
