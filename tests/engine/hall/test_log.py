from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lading import log
from lading.secrets import MASK, register

SECRET = 'log-"secret"-ü-0001'


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = (log.sink.format, log.sink.level, log.sink.write, log.sink.fields)
    yield
    log.sink.format, log.sink.level, log.sink.write, log.sink.fields = before


@pytest.mark.parametrize("shape", ["text", "json"])
@pytest.mark.parametrize("say", [log.debug, log.info, log.warning, log.error])
def test_no_secret_gets_into_a_line(
    capsys: pytest.CaptureFixture[str], shape: log.Format, say: type
) -> None:
    register(SECRET)
    log.configure(format=shape, level="debug")
    say("code", f"the key is {SECRET}", key=SECRET, deep={"url": f"?k={SECRET}"})
    printed = capsys.readouterr()
    assert printed.out == ""
    assert MASK in printed.err
    assert not any(part in printed.err for part in ("secret", "ü-0001"))


def test_a_json_line_says_when_what_and_how_bad(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info", run_id="r1")
    log.warning("retry", "again “soon”\nplease", attempt=2, at=datetime(2026, 1, 1, tzinfo=UTC))
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    stamp = datetime.fromisoformat(event.pop("ts"))
    assert stamp.utcoffset() == timedelta(0)
    assert event == {
        "level": "warning",
        "code": "retry",
        "message": "again “soon”\nplease",
        "run_id": "r1",
        "attempt": 2,
        "at": "2026-01-01 00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_a_level_silences_what_is_below_it(
    capsys: pytest.CaptureFixture[str], level: log.Level, said: list[str]
) -> None:
    log.configure(format="json", level=level)
    for say in (log.debug, log.info, log.warning, log.error):
        say("code", "something")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == said


def test_a_text_line_names_only_what_is_bad(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="text", level="info")
    log.info("code", "all is well")
    log.error("code", "something broke")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("  all is well")
    assert second.endswith("  error: something broke")


def test_lines_of_several_threads_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info")

    def speak() -> None:
        for number in range(200):
            log.info("code", "x" * 50, number=number)

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 800
    assert all(json.loads(line)["message"] == "x" * 50 for line in lines)
