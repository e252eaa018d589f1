from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from itertools import pairwise

import pytest

from lading.errors import ThrottledError, UnavailableError
from lading.limiter import Allowance, Limiter

PATIENCE = 20  # seconds after which a test that hangs is given up


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pause(limiter: Limiter, pool: str = "") -> float:
    """The seconds that a request would have to wait now; 0 if it had its turn (and took it)."""
    try:
        with limiter.turn(patience=0, pool=pool):
            return 0.0
    except ThrottledError as error:
        return error.retry_after or -1.0


def start(limiter: Limiter, clock: Clock) -> float:
    """When a request begins that waits as long as it has to."""
    while True:
        try:
            with limiter.turn(patience=0) as began:
                return began
        except ThrottledError as error:
            clock.now += error.retry_after or -1.0


def refuse(limiter: Limiter, clock: Clock) -> None:
    """A request that begins as soon as it may and is refused a second later."""
    began = start(limiter, clock)
    clock.now += 1
    limiter.throttled(began)


def test_at_first_there_is_no_gap_and_full_concurrency(clock: Clock) -> None:
    limiter = Limiter(4, clock=clock)
    with ExitStack() as stack:
        for _ in range(4):
            assert stack.enter_context(limiter.turn(patience=0)) == clock.now
    assert (limiter.gap, limiter.allowed) == (0.0, 4)


def test_each_refusal_doubles_the_gap_and_halves_the_concurrency(clock: Clock) -> None:
    limiter = Limiter(8, clock=clock)
    seen = []
    for _ in range(4):
        refuse(limiter, clock)
        seen.append((limiter.gap, limiter.allowed))
    assert seen == [(0.1, 4), (0.2, 2), (0.4, 1), (0.8, 1)]


def test_gap_and_concurrency_have_bounds(clock: Clock) -> None:
    limiter = Limiter(3, clock=clock)
    for _ in range(30):
        refuse(limiter, clock)
    assert (limiter.gap, limiter.allowed) == (20.0, 1)


@pytest.mark.parametrize("later", [0.0, 0.01, 5.0])
def test_refusals_of_requests_that_were_under_way_together_count_once(
    clock: Clock, later: float
) -> None:
    limiter = Limiter(4, clock=clock)
    with ExitStack() as stack:
        began = [stack.enter_context(limiter.turn()) for _ in range(4)]
        for each in began:
            limiter.throttled(each)
            clock.now += later
    assert (limiter.gap, limiter.allowed) == (0.1, 2)


def test_a_refusal_on_one_thread_makes_all_others_wait(clock: Clock) -> None:
    limiter = Limiter(4, clock=clock)
    with limiter.turn() as began:
        limiter.throttled(began, retry_after=7)
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(pause(limiter))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert waits == [7.0, 7.0, 7.0]
    clock.now += 7
    assert pause(limiter) == 0


def test_a_wish_for_less_than_the_gap_does_not_shorten_it(clock: Clock) -> None:
    limiter = Limiter(1, clock=clock)
    refuse(limiter, clock)
    began = start(limiter, clock)
    clock.now += 1
    limiter.throttled(began, retry_after=0)
    assert pause(limiter) == pytest.approx(0.2)


def test_a_shorter_wish_does_not_undo_a_longer_one(clock: Clock) -> None:
    limiter = Limiter(4, clock=clock)
    with limiter.turn() as first, limiter.turn() as second:
        limiter.throttled(first, retry_after=30)
        limiter.throttled(second, retry_after=1)
    assert pause(limiter) == 30


def test_starts_are_a_gap_apart_after_a_refusal(clock: Clock) -> None:
    limiter = Limiter(8, clock=clock)
    refuse(limiter, clock)
    starts = [start(limiter, clock) for _ in range(3)]
    assert [late - early for early, late in pairwise(starts)] == pytest.approx([0.1, 0.1])


def test_answers_that_go_well_bring_back_full_speed(clock: Clock) -> None:
    limiter = Limiter(4, clock=clock)
    for _ in range(5):
        refuse(limiter, clock)
    seen = [(limiter.gap, limiter.allowed)]
    while (limiter.gap, limiter.allowed) != (0.0, 4) and len(seen) < 100:
        limiter.went_well()
        seen.append((limiter.gap, limiter.allowed))
    gaps, concurrency = zip(*seen, strict=True)
    assert len(seen) < 100
    assert sorted(gaps, reverse=True) == list(gaps)
    assert sorted(concurrency) == list(concurrency)
    limiter.went_well()
    assert (limiter.gap, limiter.allowed) == (0.0, 4)


def test_as_many_run_at_once_as_are_allowed_and_no_more() -> None:
    limiter = Limiter(3)
    together = threading.Barrier(3)
    counting = threading.Lock()
    under_way, most = 0, 0

    def work() -> None:
        nonlocal under_way, most
        with limiter.turn():
            with counting:
                under_way += 1
                most = max(most, under_way)
            together.wait(PATIENCE)  # only passed if three have a turn at the same time
            with counting:
                under_way -= 1

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not together.broken
    assert most == 3


def test_a_wait_beyond_ones_patience_is_refused_and_the_turn_not_taken(clock: Clock) -> None:
    limiter = Limiter(1, clock=clock)
    with limiter.turn() as began:
        limiter.throttled(began, retry_after=3600)
    with pytest.raises(ThrottledError, match="another 3600 s") as refused, limiter.turn(300):
        pass
    assert refused.value.retry_after == 3600
    clock.now += 3600
    with limiter.turn(300):
        pass


def test_who_waits_gives_up_when_the_limiter_is_closed() -> None:
    limiter = Limiter(1)
    met: list[type[BaseException]] = []

    def work() -> None:
        try:
            with limiter.turn():
                pass
        except UnavailableError as error:
            met.append(type(error))

    with limiter.turn():
        thread = threading.Thread(target=work)
        thread.start()
        limiter.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert met == [UnavailableError]


def answered(limiter: Limiter, left: int, seconds: float, pool: str = "") -> float | None:
    """A request that goes well at once, and says so much of the limit."""
    with limiter.turn(patience=0, pool=pool):
        return limiter.told(pool, Allowance(left, seconds), patience=300)


def test_none_begins_beyond_what_is_left_until_the_limit_begins_anew(clock: Clock) -> None:
    limiter = Limiter(8, clock=clock)
    assert answered(limiter, 3, 60) is None
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(limiter.turn(patience=0))
        clock.now += 1
        assert pause(limiter) == 59
        # What begins to wait is told once.
        assert [limiter.told("", Allowance(left, 59), 300) for left in (2, 1, 0)] == [
            59,
            None,
            None,
        ]
    assert pause(limiter) == 59
    assert pause(limiter, "another limit") == 0
    clock.now += 59
    assert [pause(limiter) for _ in range(5)] == [0, 0, 0, 0, 0]
    assert (limiter.gap, limiter.allowed) == (0.0, 8)


def test_who_is_under_way_may_not_be_counted_yet(clock: Clock) -> None:
    limiter = Limiter(8, clock=clock)
    with limiter.turn(), limiter.turn():
        assert answered(limiter, 3, 60) is None
        assert pause(limiter) == 0
        assert pause(limiter) == 60


def test_an_answer_that_was_overtaken_gives_nothing_back(clock: Clock) -> None:
    limiter = Limiter(8, clock=clock)
    with limiter.turn():
        assert answered(limiter, 1, 60) == 60
        assert limiter.told("", Allowance(50, 60), 300) is None
    assert pause(limiter) == 60


@pytest.mark.parametrize("seconds", [0.0, -5.0, 301.0, 1e12, float("inf"), float("nan")])
def test_a_limit_that_is_over_or_far_away_is_nothing_to_wait_for(
    clock: Clock, seconds: float
) -> None:
    limiter = Limiter(4, clock=clock)
    with limiter.turn(patience=0):
        assert answered(limiter, 0, 60) == 60
        assert limiter.told("", Allowance(0, seconds), patience=300) is None
    assert pause(limiter) == 0


def test_who_waits_for_a_limit_goes_on_when_it_begins_anew_or_gives_up_when_closed() -> None:
    limiter = Limiter(4)
    waited: list[float] = []

    def work(pool: str) -> None:
        began = time.monotonic()
        with suppress(UnavailableError), limiter.turn(pool=pool):
            waited.append(time.monotonic() - began)

    assert answered(limiter, 0, 0.2, "short") == pytest.approx(0.2)
    assert answered(limiter, 0, 200, "long") == pytest.approx(200)
    threads = [threading.Thread(target=work, args=[pool]) for pool in ("short", "long")]
    for thread in threads:
        thread.start()
    threads[0].join(PATIENCE)
    assert threads[1].is_alive()
    limiter.close()
    threads[1].join(PATIENCE)
    assert not threads[1].is_alive()
    assert [each >= 0.15 for each in waited] == [True]
