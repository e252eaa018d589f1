"""Who and what a synthetic organisation has, as the Admin API lists it: workspaces, keys, people.

All of it follows from the members alone, so that names fit the ids in the reports. Some of it is in
no report: a workspace that was archived before the first day, and keys that nobody used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lading.sandbox.members import ApiKey, Developer, Members
from lading.sandbox.queries import (
    BadQuery,
    Pairs,
    Parameter,
    one_of,
    read_values,
    text_of,
    whole_number,
)

NEWER = "2026-10-21"
DEFAULT_WORKSPACE = "wrkspc_sandbox00"
ARCHIVED_WORKSPACE = "wrkspc_sandbox99"
OWNER = "user_sandbox00"
ROLES = ("user", "developer", "billing", "admin", "claude_code_user")
STATUSES = ("active", "inactive", "archived", "expired")
DEFAULT_LIMIT, MAX_LIMIT = 20, 1000

_FOUNDED = datetime(2025, 3, 4, 9, 15, 22, 104511, UTC)
_ARCHIVED = datetime(2025, 12, 15, 8, tzinfo=UTC)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list. `last_id` is there on the last page too."""

    data: list[Json]
    has_more: bool

    def envelope(self) -> Json:
        first, last = (self.data[n]["id"] if self.data else None for n in (0, -1))
        return {
            "data": self.data,
            "has_more": self.has_more,
            "first_id": first,
            "last_id": last,
        }


_boolean = one_of("true", "false")
_PAGED = {
    "limit": Parameter(whole_number),
    "after_id": Parameter(text_of),
    "before_id": Parameter(text_of),
}
_WORKSPACES = {
    **_PAGED,
    "include_archived": Parameter(_boolean),
    "include_default": Parameter(_boolean),
}
# Of the newer version alone, as the clients that were made from each version's description show.
_WORKSPACES_NEWER = {**_WORKSPACES, "ids[]": Parameter(text_of, many=True)}
_API_KEYS = {
    **_PAGED,
    "status": Parameter(one_of(*STATUSES)),
    "workspace_id": Parameter(text_of),
    "created_by_user_id": Parameter(text_of),
}
_USERS = {**_PAGED, "email": Parameter(text_of), "roles[]": Parameter(one_of(*ROLES), many=True)}


def list_workspaces(members: Members, pairs: Pairs, version: str, gone: set[str]) -> Listed:
    """Without `include_archived` and `include_default` neither is in the list. BadQuery."""
    values = read_values(_WORKSPACES_NEWER if version == NEWER else _WORKSPACES, pairs)
    ids = values.get("ids[]")
    if ids is not None and len(ids) > 100:
        raise BadQuery("ids[]: at most 100")
    with_archived = values.get("include_archived") == "true"
    with_default = values.get("include_default") == "true"

    def is_wanted(one: Json) -> bool:
        return (
            (with_archived or one["archived_at"] is None)
            and (with_default or one["id"] != DEFAULT_WORKSPACE)
            and (ids is None or one["id"] in ids)
        )

    return _page(workspaces(members, version), values, is_wanted, gone)


def list_api_keys(members: Members, pairs: Pairs, version: str, gone: set[str]) -> Listed:
    """Without `status` keys of all of them are in the list. BadQuery."""
    values = read_values(_API_KEYS, pairs)

    def is_wanted(one: Json) -> bool:
        creator = one["created_by"] or {}
        return (
            values.get("status") in {None, one["status"]}
            and values.get("workspace_id") in {None, one["scope"].get("workspace_id")}
            and values.get("created_by_user_id") in {None, creator.get("id")}
        )

    page = _page(api_keys(members), values, is_wanted, gone)
    if version == NEWER:
        for one in page.data:
            del one["workspace_id"]
    return page


def list_users(members: Members, pairs: Pairs, version: str, gone: set[str]) -> Listed:
    """Those who belong to the organisation now. BadQuery."""
    values = read_values(_USERS, pairs)

    def is_wanted(one: Json) -> bool:
        return values.get("email") in {None, one["email"]} and one["role"] in values.get(
            "roles[]", ROLES
        )

    return _page(users(members), values, is_wanted, gone)


def _page(
    members: Iterator[Json],
    values: Json,
    is_wanted: Callable[[Json], bool],
    gone: set[str],
) -> Listed:
    limit = values.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise BadQuery(f"limit: {limit} is not between 1 and {MAX_LIMIT}")
    if "after_id" in values and "before_id" in values:
        raise BadQuery("after_id and before_id exclude each other")
    found = [one for one in members if one["id"] not in gone and is_wanted(one)]
    ids = [one["id"] for one in found]
    for name in ("after_id", "before_id"):
        if name in values and values[name] not in ids:
            raise BadQuery(f"{name}: {values[name]!r} is not in the list")
    if "before_id" in values:
        end = ids.index(values["before_id"])
        return Listed(found[max(0, end - limit) : end], end > limit)
    start = ids.index(values["after_id"]) + 1 if "after_id" in values else 0
    return Listed(found[start : start + limit], start + limit < len(found))


def workspaces(members: Members, version: str) -> Iterator[Json]:
    """All of them, the default one first."""
    yield _workspace(DEFAULT_WORKSPACE, "Default", 0, version)
    for n, workspace_id in enumerate(members.workspace_ids[1:], 1):
        yield _workspace(str(workspace_id), f"Team {n:02d}", n, version)
    archived = _workspace(ARCHIVED_WORKSPACE, "hackathon 2025", 30, version)
    yield {**archived, "archived_at": _rfc3339(_ARCHIVED)}


def _workspace(workspace_id: str, name: str, n: int, version: str) -> Json:
    workspace = {
        "id": workspace_id,
        "type": "workspace",
        "name": name,
        "created_at": _rfc3339(_FOUNDED + timedelta(days=n)),
        "archived_at": None,
        "display_color": ("#8A8A8A", "#4F7CAC", "#D97757")[n % 3],
        "compartment_id": f"5a0db0c5-0000-4000-8000-{n:012d}",
        "external_key_id": None,
        "tags": {"cost_center": f"41{n:02d}"} if n % 2 else {},
        "data_residency": {
            "workspace_geo": "us",
            "default_inference_geo": "global",
            "allowed_inference_geos": ["us"] if n == 2 else "unrestricted",
        },
    }
    return {**workspace, "user_profile_id": None} if version == NEWER else workspace


def api_keys(members: Members) -> Iterator[Json]:
    """All of them, in both shapes at once: those in the reports, and some that are in none."""
    for n, key in enumerate(members.api_keys):
        yield _api_key(key, n)
    n = len(members.api_keys)
    unused = ApiKey("apikey_sandbox91", "unused key", None)
    yield {**_api_key(unused, n), "status": "inactive", "created_by": None}
    old = ApiKey("apikey_sandbox92", "trial key", None)
    yield {**_api_key(old, n), "status": "expired", "expires_at": _rfc3339(_ARCHIVED)}
    shelved = ApiKey("apikey_sandbox93", "hackathon key", ARCHIVED_WORKSPACE)
    yield {**_api_key(shelved, n), "status": "archived"}
    personal = _api_key(ApiKey("apikey_sandbox94", "personal key", None), n)
    principal = {"type": "user_actor", "user_id": OWNER}
    yield {**personal, "scope": {"type": "organization"}, "principal": principal}


def _api_key(key: ApiKey, n: int) -> Json:
    """A key of the default workspace has no `workspace_id`, while its scope names the real id."""
    by_service = n % 4 == 3
    service = {"id": "svac_sandbox01", "type": "service_account"}
    principal = {"type": "service_account_actor", "service_account_id": "svac_sandbox01"}
    return {
        "id": key.id,
        "type": "api_key",
        "name": key.name,
        "status": "active",
        "created_at": _rfc3339(_FOUNDED + timedelta(days=n, hours=1)),
        "created_by": service if by_service else {"id": OWNER, "type": "user"},
        "expires_at": "2027-06-30T00:00:00Z" if n % 3 == 1 else None,
        "partial_key_hint": f"sandbox-...{n:02d}",
        "workspace_id": key.workspace_id,
        "scope": {"type": "workspace", "workspace_id": key.workspace_id or DEFAULT_WORKSPACE},
        "principal": principal if by_service else None,
    }


def users(members: Members) -> Iterator[Json]:
    """Everybody: somebody who only keeps the house, and the developers."""
    yield _user(OWNER, "olive.owner@example.com", "Olive Owner", "admin", 0)
    for n, developer in enumerate(members.developers, 1):
        yield _user(developer.account_id, _written(developer, n), _name(n), ROLES[n % 5], n)


def _user(user_id: str, email: str, name: str, role: str, n: int) -> Json:
    return {
        "id": user_id,
        "type": "user",
        "email": email,
        "name": name,
        "role": role,
        "added_at": _rfc3339(_FOUNDED + timedelta(days=7 * n)),
    }


def _written(developer: Developer, n: int) -> str:
    """An address may be written here in other letters than in the Claude Code report."""
    return developer.email.capitalize() if n == 5 else developer.email


def _name(n: int) -> str:
    return {3: "Niamh O'Neil", 4: "Zoë Ünlü"}.get(n, f"Developer {n:02d}")


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
