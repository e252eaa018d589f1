from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.http import seconds_to_wait

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("-4", 0),
        # Four hours and more are still a number of seconds, not a moment in 1970.
        ("14400", 14_400),
        ("86400", 86_400),
        ("1774020630", 30),
        ("1774020570", 0),
        ("1774020630.25", 30.25),
        ("1774020630000", 30),
        ("1774020570000", 0),
        ("2026-03-20T15:30:30Z", 30),
        ("2026-03-20T15:29:30Z", 0),
        ("2026-03-20T16:30:30+01:00", 30),
        ("2026-03-20T15:30:30.500000Z", 30.5),
        ("2026-03-20T15:30:30", 30),
        ("Fri, 20 Mar 2026 15:30:30 GMT", 30),
        ("Fri, 20 Mar 2026 15:29:30 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    ],
)
def test_a_wish_to_wait_in_seconds(value: str, seconds: float) -> None:
    assert datetime.fromtimestamp(1774020600, UTC) == NOW
    assert seconds_to_wait(value, now=NOW.timestamp()) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "soon", "inf", "-inf", "nan", "1e400", "9" * 400, "12 s", "Fri, 99 Foo"],
)
def test_rubbish_is_no_wish(value: str | None) -> None:
    assert seconds_to_wait(value, now=NOW.timestamp()) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d:]+ [+-]?\w+"))
def test_no_header_breaks_it(value: str) -> None:
    seconds = seconds_to_wait(value, now=NOW.timestamp())
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(0, 2_000_000))
def test_all_forms_of_one_moment_agree(ahead: int) -> None:
    moment = NOW + timedelta(seconds=ahead)
    epoch = int(moment.timestamp())
    forms = [str(epoch), str(epoch * 1000), moment.isoformat(), format_datetime(moment)]
    assert {seconds_to_wait(form, now=NOW.timestamp()) for form in [*forms, str(ahead)]} == {ahead}
