"""The lists of the Anthropic stand-in: pages, filters, both versions' shapes, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.engine.sandbox.conftest import Pairs, Reports

    Serve = Callable[..., AbstractContextManager[Reports]]

WORKSPACES, API_KEYS, USERS = (
    f"/v1/organizations/{name}" for name in ("workspaces", "api_keys", "users")
)
NEWER = {"anthropic-version": "2026-10-21"}


def ids(answer: Any) -> list[str]:
    return [each["id"] for each in answer["data"]]


def test_a_list_names_its_first_and_last_member_on_the_last_page_too(reports: Reports) -> None:
    answer = reports.get(USERS, [("limit", "1000")])
    developers = reports.stand_in.organisation.members.developers
    assert set(ids(answer)) > {each.account_id for each in developers}
    assert len(ids(answer)) == len(developers) + 1
    assert (answer["has_more"], answer["first_id"]) == (False, ids(answer)[0])
    assert answer["last_id"] == ids(answer)[-1]
    assert "next_page" not in answer


def test_pages_follow_after_id_and_go_back_with_before_id(reports: Reports) -> None:
    whole = ids(reports.get(USERS, [("limit", "1000")]))
    seen: list[str] = []
    asked: Pairs = []
    for more in (True, True, False):
        answer = reports.get(USERS, [*asked, ("limit", "5")])
        assert answer["has_more"] is more
        seen += ids(answer)
        asked = [("after_id", answer["last_id"])]
    assert seen == whole
    back = reports.get(USERS, [("before_id", whole[7]), ("limit", "5")])
    assert (ids(back), back["has_more"]) == (whole[2:7], True)


def test_twenty_are_a_page_unless_more_are_asked_for(serve: Serve) -> None:
    from lading.sandbox.organisation import Organisation

    with serve(Organisation(developers=30)) as reports:
        answer = reports.get(USERS, [])
        assert (len(answer["data"]), answer["has_more"]) == (20, True)


def test_archived_workspaces_and_the_default_one_are_there_when_asked_for(
    reports: Reports,
) -> None:
    used = [each for each in reports.stand_in.organisation.members.workspace_ids if each]
    assert ids(reports.get(WORKSPACES, [])) == used
    archived = reports.get(WORKSPACES, [("include_archived", "true")])["data"]
    assert [each["archived_at"] is not None for each in archived] == [False] * len(used) + [True]
    default = reports.get(WORKSPACES, [("include_default", "true")])["data"]
    assert [each["name"] for each in default].index("Default") == 0
    assert len(default) == len(used) + 1


def test_keys_of_each_status_are_there_unless_one_is_asked_for(reports: Reports) -> None:
    found = reports.get(API_KEYS, [("limit", "1000")])["data"]
    assert {each["status"] for each in found} == {"active", "inactive", "archived", "expired"}
    used = {each.id for each in reports.stand_in.organisation.members.api_keys}
    assert used < {each["id"] for each in found}
    (archived,) = reports.get(API_KEYS, [("status", "archived")])["data"]
    assert archived["status"] == "archived"


def test_a_key_has_the_shape_of_the_version(reports: Reports) -> None:
    older = reports.get(API_KEYS, [("limit", "1000")])["data"]
    newer = reports.get(API_KEYS, [("limit", "1000")], **NEWER)["data"]
    assert all("workspace_id" in each and "scope" in each for each in older)
    assert not any("workspace_id" in each for each in newer)
    assert [each["scope"] for each in newer] == [each["scope"] for each in older]
    kinds = {(each["scope"]["type"], each["workspace_id"] is None) for each in older}
    assert kinds == {("workspace", False), ("workspace", True), ("organization", True)}


def test_ids_are_a_filter_of_the_newer_version_alone(reports: Reports) -> None:
    asked = [("ids[]", "wrkspc_sandbox02")]
    assert "Extra inputs" in reports.refusal(WORKSPACES, asked)
    assert ids(reports.get(WORKSPACES, asked, **NEWER)) == ["wrkspc_sandbox02"]


@pytest.mark.parametrize(
    ("path", "pairs", "said"),
    [
        (USERS, [("limit", "0")], "limit: 0 is not between 1 and 1000"),
        (USERS, [("limit", "1001")], "limit: 1001 is not between 1 and 1000"),
        (USERS, [("page", "x")], "page: Extra inputs are not permitted"),
        (USERS, [("after_id", "user_nobody")], "after_id: 'user_nobody' is not in the list"),
        (
            USERS,
            [("after_id", "user_sandbox01"), ("before_id", "user_sandbox05")],
            "exclude each other",
        ),
        (USERS, [("include_archived", "true")], "include_archived: Extra inputs"),
        (USERS, [("roles[]", "owner of all")], "roles[]: 'owner of all' is none of"),
        (WORKSPACES, [("include_archived", "1")], "include_archived: '1' is none of true, false"),
        (API_KEYS, [("status", "gone")], "status: 'gone' is none of active"),
        ("/v1/organizations/me", [("limit", "1")], "limit: Extra inputs"),
    ],
)
def test_what_a_list_refuses(reports: Reports, path: str, pairs: Pairs, said: str) -> None:
    assert said in reports.refusal(path, pairs)


def test_members_go_and_come_back(serve: Serve) -> None:
    with serve() as reports:
        before = ids(reports.get(USERS, []))
        reports.stand_in.gone.add(before[3])
        assert ids(reports.get(USERS, [])) == before[:3] + before[4:]
        reports.stand_in.gone.clear()
        assert ids(reports.get(USERS, [])) == before


def test_lists_meet_faults(serve: Serve) -> None:
    with serve() as reports:
        reports.stand_in.faults.add(Fault("403", path="/users"))
        answer = reports.send(USERS, [])
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
        reports.stand_in.faults.add(Fault("repeated_cursor", path="/users", times=None))
        last = reports.get(USERS, [("limit", "2")])["last_id"]
        again = reports.get(USERS, [("limit", "2"), ("after_id", last)])
        assert (again["has_more"], again["last_id"]) == (True, last)
