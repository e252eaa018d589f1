"""Rows and log lines on their way to Port: nothing secret in them, and not too much of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lading.port.batches import LARGEST_BODY
from lading.port.examples import presentable
from lading.port.log_lines import MOST_AT_ONCE, MOST_WAITING, LogLines
from lading.secrets import register

SECRET = "hush-hush-hush"
KEY = "-".join(("sk", "ant", "x" * 20))
plain = st.text(alphabet="abc .@", max_size=9) | st.integers() | st.booleans() | st.none()
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "output_tokens", "api_key_id", "token_type", "email"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=9,
)


@given(row=st.dictionaries(st.sampled_from(["a", "api_key_name", "results"]), values))
def test_what_is_no_secret_stays_as_it_is(row: dict[str, Any]) -> None:
    assert presentable([json.dumps(row)]) == [row]


@given(value=values.filter(lambda each: each is not None and not isinstance(each, bool)))
def test_what_stands_under_a_secrets_name_is_masked_whatever_it_is(value: Any) -> None:
    names = ("token", "accessToken", "API-Key", "client_secret", "Authorization", "credentials")
    row = {"results": [dict.fromkeys(names, value)]}
    (shown,) = presentable([json.dumps(row)])
    assert shown == {"results": [dict.fromkeys(names, "********")]}


def test_secrets_are_masked_within_values() -> None:
    register(SECRET)
    row = {"note": f"it is {SECRET}!", "hint": f"{KEY} or so", "header": "Bearer abcdefghijk"}
    (shown,) = presentable([json.dumps(row)])
    assert shown == {
        "note": "it is ********!",
        "hint": "******** or so",
        "header": "********",
    }


def test_only_so_many_rows_are_shown_as_one_request_carries() -> None:
    half = json.dumps({"a": "x" * (LARGEST_BODY // 2 - 200)})
    assert len(presentable([half, half, half])) == 2
    assert presentable([json.dumps({"a": "é" * LARGEST_BODY})]) == []
    assert presentable(["[1]"]) == []


def test_lines_are_masked_bounded_and_taken_in_their_order() -> None:
    register(SECRET)
    lines = LogLines(run_id="r")
    lines.hear("debug", "c", "not this", {})
    lines.hear("warning", "c", f"it is {SECRET}", {"a": SECRET, "n": 1, ("odd",): 2})  # type: ignore[dict-item]
    lines.hear("error", "c", "m", {"a": [SECRET]})
    first, second = lines.take()
    assert (first["message"], first["level"]) == ("it is ********", "WARNING")
    assert first["extra"] == {"code": "c", "run_id": "r"}
    assert second["extra"] == {"code": "c", "a": ["********"], "run_id": "r"}
    for number in range(MOST_WAITING + 7):
        lines.hear("info", "c", str(number), {})
    taken = []
    while some := lines.take():
        assert len(some) <= MOST_AT_ONCE + 1
        taken += some
    assert [each["message"] for each in taken[:-1]] == [str(n) for n in range(MOST_WAITING)]
    assert taken[-1]["message"] == "7 more lines were not sent"
