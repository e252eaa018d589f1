from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.secrets import MASK, redact, register

AWKWARD = 'pa ss/w+rd"=\\&%é§1'


FORMS = {
    "as-it-is": AWKWARD,
    "in-a-path": quote(AWKWARD),
    "as-one-segment": quote(AWKWARD, safe=""),
    "in-a-query": urlencode({"": AWKWARD})[1:],
    "in-json": json.dumps(AWKWARD)[1:-1],
    "in-json-with-its-letters": json.dumps(AWKWARD, ensure_ascii=False)[1:-1],
}


@pytest.mark.parametrize("written", FORMS.values(), ids=FORMS)
def test_a_secret_is_masked_in_every_form(written: str) -> None:
    register(AWKWARD)
    assert redact(f"before {written} after {written}") == f"before {MASK} after {MASK}"


@pytest.mark.parametrize("short", ["", "a", "abcde"])
def test_what_is_too_short_to_be_a_secret_is_not_masked(short: str) -> None:
    register(short)
    text = f"an ordinary sentence, abcde and all: {short}!"
    assert redact(text) == text


def test_a_secret_in_another_one_leaves_nothing_of_the_longer_one() -> None:
    register("inner-secret")
    register("outer-inner-secret-outer")
    assert redact("[outer-inner-secret-outer] [inner-secret]") == f"[{MASK}] [{MASK}]"


@given(
    secret=st.text(min_size=6, max_size=40).filter(lambda text: "*" not in text),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_secret_is_left_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    register(secret)
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert form not in redact(f"{before}{form}{after}")
