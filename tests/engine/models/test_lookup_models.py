"""Names for ids: workspaces, API keys and people, and what became of those that went."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.models.conftest import NOW

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

SEEN = NOW.replace(tzinfo=None)
SINCE = "2025-03-04T09:15:22.104511Z"
DEFAULT = "wrkspc_0"


def workspace(identifier: str, name: str, **more: Any) -> Json:
    return {
        "id": identifier,
        "type": "workspace",
        "name": name,
        "created_at": SINCE,
        "archived_at": None,
        "tags": {"team": "x"},
        "data_residency": {
            "workspace_geo": "us",
            "default_inference_geo": "global",
            "allowed_inference_geos": "unrestricted",
        },
        **more,
    }


def key(identifier: str = "k", **more: Any) -> Json:
    return {"id": identifier, "type": "api_key", "name": "n", "status": "active", **more}


def in_workspace(identifier: str) -> Json:
    return {"type": "workspace", "workspace_id": identifier}


def spaces(landing: Landing, *columns: str) -> list[tuple[Any, ...]]:
    rows = landing.table("marts.workspaces")
    return [tuple(row[name] for name in columns) for row in rows]


def test_workspaces_have_names(landing: Landing) -> None:
    landing.members(
        "workspaces",
        workspace(DEFAULT, "Default"),
        workspace("wrkspc_1", "old", archived_at="2026-01-09T00:00:00Z"),
    )
    landing.build()
    default, old = landing.table("marts.workspaces")
    assert (default["workspace_id"], default["api_workspace_id"]) == ("default", DEFAULT)
    assert (default["is_default"], default["name"], default["archived_at"]) == (
        True,
        "Default",
        None,
    )
    assert (old["workspace_id"], old["is_default"]) == ("wrkspc_1", False)
    assert old["archived_at"].isoformat() == "2026-01-09T00:00:00"
    assert f"{old['created_at'].isoformat()}Z" == SINCE
    assert (old["workspace_geo"], old["default_inference_geo"]) == ("us", "global")
    assert json.loads(old["tags"]) == {"team": "x"}
    assert (old["last_seen_at"], old["vanished_at"]) == (SEEN, None)


def test_the_default_workspace_is_there_where_the_list_leaves_it_out(landing: Landing) -> None:
    landing.members("workspaces", workspace("wrkspc_1", "one"))
    landing.members("organization", {"id": "o", "name": "Elsewhere"}, connection="eu")
    landing.build()
    assert spaces(landing, "connection", "workspace_id", "api_workspace_id", "name") == [
        ("anthropic", "default", None, "Default"),
        ("anthropic", "wrkspc_1", "wrkspc_1", "one"),
        ("eu", "default", None, "Default"),
    ]


def test_another_workspace_may_be_called_default(landing: Landing) -> None:
    landing.members(
        "workspaces",
        workspace("wrkspc_2", "Default", created_at="2026-03-04T09:15:22Z"),
        workspace(DEFAULT, "Default"),
        workspace("wrkspc_3", "Default", created_at="2024-01-01T00:00:00Z", archived_at=SINCE),
    )
    landing.build()
    assert spaces(landing, "workspace_id", "api_workspace_id", "is_default") == [
        ("default", DEFAULT, True),
        ("wrkspc_2", "wrkspc_2", False),
        ("wrkspc_3", "wrkspc_3", False),
    ]


def test_the_default_workspace_of_a_former_organisation_is_none(landing: Landing) -> None:
    former = workspace("wrkspc_9", "Default", created_at="2020-01-01T00:00:00Z")
    landing.vanish("workspaces", former, SEEN - timedelta(days=2), SEEN)
    landing.members("workspaces", workspace(DEFAULT, "Default"))
    landing.build()
    assert spaces(landing, "workspace_id", "api_workspace_id", "vanished_at") == [
        ("default", DEFAULT, None),
        ("wrkspc_9", "wrkspc_9", SEEN),
    ]


def test_the_default_workspace_does_not_vanish(landing: Landing) -> None:
    """Whoever no longer asks for it with `include_default` still has its name."""
    landing.vanish("workspaces", workspace(DEFAULT, "Default"), SEEN - timedelta(days=2), SEEN)
    landing.members("workspaces", workspace("wrkspc_1", "one"))
    landing.build()
    assert spaces(landing, "workspace_id", "api_workspace_id", "vanished_at") == [
        ("default", DEFAULT, None),
        ("wrkspc_1", "wrkspc_1", None),
    ]


@pytest.mark.parametrize(
    ("said", "scope", "workspace_id"),
    [
        ({"workspace_id": "w"}, "workspace", "w"),
        ({"workspace_id": None}, None, "default"),
        ({"workspace_id": "w", "scope": in_workspace("w")}, "workspace", "w"),
        ({"workspace_id": None, "scope": in_workspace(DEFAULT)}, "workspace", "default"),
        ({"workspace_id": None, "scope": {"type": "organization"}}, "organization", None),
        ({"scope": in_workspace("w")}, "workspace", "w"),
        ({"scope": in_workspace(DEFAULT)}, "workspace", "default"),
        ({"scope": {"type": "organization"}}, "organization", None),
        ({}, None, None),
    ],
    ids=lambda each: json.dumps(each) if isinstance(each, dict) else "",
)
def test_a_key_of_any_shape_has_its_workspace(
    landing: Landing, said: Json, scope: str | None, workspace_id: str | None
) -> None:
    landing.members("workspaces", workspace(DEFAULT, "Default"), workspace("w", "one"))
    landing.members("api_keys", key(**said))
    landing.build()
    (row,) = landing.table("marts.api_keys")
    assert (row["scope"], row["workspace_id"]) == (scope, workspace_id)


def test_a_key_of_the_default_workspace_is_known_without_the_list(landing: Landing) -> None:
    landing.members("api_keys", key(workspace_id=None, scope=in_workspace(DEFAULT)))
    landing.build()
    assert [row["workspace_id"] for row in landing.table("marts.api_keys")] == ["default"]


def test_who_made_a_key_has_a_name(landing: Landing) -> None:
    landing.members("users", {"id": "user_1", "name": "Ana", "email": "Ana@Example.com"})
    by_user = {"created_by": {"id": "user_1", "type": "user"}}
    actor = {"type": "service_account_actor", "service_account_id": "svac_1"}
    by_service = {"created_by": {"id": "svac_1", "type": "service_account"}, "principal": actor}
    older = {"created_by": None, "principal": {"id": "user_1", "type": "user"}}
    landing.members("api_keys", key("a", **by_user), key("b", **by_service), key("c", **older))
    landing.build()
    names = ("created_by_type", "created_by_id", "created_by_name", "principal_id")
    found = [tuple(row[name] for name in names) for row in landing.table("marts.api_keys")]
    assert found == [
        ("user", "user_1", "Ana", None),
        ("service_account", "svac_1", None, "svac_1"),
        (None, None, None, "user_1"),
    ]


def test_those_who_left_stay_with_the_times(landing: Landing) -> None:
    landing.members("users", {"id": "user_1", "name": "Ana", "email": "Ana@Example.com"})
    left = SEEN - timedelta(days=3)
    landing.vanish("users", {"id": "user_2", "name": "Ben"}, left, left + timedelta(days=1))
    landing.build()
    names = ("user_id", "name", "email", "last_seen_at", "vanished_at")
    assert [tuple(row[name] for name in names) for row in landing.table("marts.users")] == [
        ("user_1", "Ana", "ana@example.com", SEEN, None),
        ("user_2", "Ben", None, left, left + timedelta(days=1)),
    ]


@pytest.mark.parametrize(
    ("stream", "member", "said"),
    [
        ("users", {"id": 7}, "member.id: expected text, found 7"),
        ("users", {"id": "u", "role": ["admin"]}, "member.role: expected text"),
        (
            "workspaces",
            workspace("w", "one", created_at="2025-03-04T09:15:22+02:00"),
            "member.created_at: expected a moment in UTC",
        ),
        ("api_keys", key(expires_at=1), "member.expires_at: expected a moment in UTC, found 1"),
    ],
)
def test_a_type_that_changed_stops_the_model_that_needs_it(
    landing: Landing, stream: str, member: Json, said: str
) -> None:
    landing.members(stream, member)
    model = {"users": "user", "workspaces": "workspace", "api_keys": "api_key"}[stream]
    (message,) = landing.failures(f"{model}_records").values()
    assert said in message


COST = {
    "amount": "1.123456789",
    "currency": "USD",
    "workspace_id": None,
    "description": "Claude Opus 5 Usage - Input Tokens",
    "cost_type": "tokens",
    "token_type": "uncached_input_tokens",
    "model": "claude-opus-5",
    "service_tier": "standard",
    "context_window": "0-200k",
    "inference_geo": "global",
}
ON_THE_16TH = {"starting_at": "2026-11-16T00:00:00Z", "ending_at": "2026-11-17T00:00:00Z"}


def test_cost_by_description_is_exact(landing: Landing) -> None:
    search = {**COST, "description": "Web Search Usage", "cost_type": "web_search", "model": None}
    rows = [COST, {**COST, "amount": "0.000000001"}, {**search, "workspace_id": "w"}]
    landing.cost([{**ON_THE_16TH, "results": rows}], "workspace_id", "description")
    landing.build()
    tokens, web = landing.table("marts.cost_by_description")
    assert (tokens["workspace_id"], tokens["model"]) == ("default", "claude-opus-5")
    assert (tokens["token_type"], tokens["cost_type"]) == ("uncached_input_tokens", "tokens")
    assert f"{tokens['amount']:.9f} {tokens['amount_usd']:.11f}" == "1.123456790 0.01123456790"
    assert (web["workspace_id"], web["model"], web["cost_type"]) == ("w", None, "web_search")


@pytest.mark.parametrize("group_by", [(), ("workspace_id",), ("description",)])
def test_cost_by_description_needs_both_groupings(
    landing: Landing, group_by: tuple[str, ...]
) -> None:
    landing.cost([{**ON_THE_16TH, "results": [COST]}], *group_by)
    landing.build()
    assert landing.table("marts.cost_by_description") == []
