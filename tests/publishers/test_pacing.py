"""The pace: so many requests and changes a second, and no more."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import Throttled
from homing.publishers.pacing import Pace
from tests.publishers.route53_world import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Sequence

FOREVER = 1e9


def most_within_a_second(times: Sequence[float]) -> int:
    """Times are rounded to a microsecond: a second that begins with one request does not hold the next second's."""
    return max(sum(start <= time < start + 1 - 1e-6 for time in times) for start in times)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(1, 12))
def test_no_second_holds_more_requests_than_the_rate(pauses: list[float], rate: int) -> None:
    clock = VirtualClock(0.0)
    pace = Pace(rate, 0, clock, sleep=clock.sleep)
    times = []
    for pause in pauses:
        clock.time += pause if pause > 1 else 0
        pace.take(within=FOREVER)
        times.append(clock.time)
    assert most_within_a_second(times) <= rate


def test_whoever_does_not_hurry_does_not_wait() -> None:
    clock = VirtualClock()
    pace = Pace(10, 10, clock, sleep=clock.sleep)
    for _ in range(5):
        pace.take(1, within=0.0)
        clock.time += 0.11
    assert clock.naps == []


def test_a_burst_follows_at_once_and_then_the_rate_holds() -> None:
    clock = VirtualClock(0.0)
    pace = Pace(2, 0, clock, burst=5, sleep=clock.sleep)
    times = []
    for _ in range(8):
        pace.take(within=FOREVER)
        times.append(clock.time)
    assert times == [0, 0, 0, 0, 0, 0.5, 1.0, 1.5]


def test_a_batch_goes_at_once_however_large_and_what_follows_waits_for_it() -> None:
    clock = VirtualClock(0.0)
    pace = Pace(0, 100, clock, sleep=clock.sleep)
    for changes in (1000, 1, 1):
        pace.take(changes, within=FOREVER)
    assert clock.time == pytest.approx(10.01)
    pace.take(within=0.0)  # what changes nothing waits for no change


def test_a_rate_of_zero_is_no_limit() -> None:
    clock = VirtualClock()
    pace = Pace(0, 0, clock, sleep=clock.sleep)
    for _ in range(100):
        pace.take(1000, within=0.0)
    assert clock.naps == []


@pytest.mark.parametrize(("rates", "wait"), [((0.5, 0), 2.0), ((0, 10), 3.0)])
def test_what_would_wait_too_long_is_told_how_long_and_takes_nothing(rates: tuple[float, float], wait: float) -> None:
    clock = VirtualClock()
    pace = Pace(*rates, clock, sleep=clock.sleep)
    pace.take(30, within=0.0)
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            pace.take(30, within=wait - 0.01)
        assert caught.value.retry_after == pytest.approx(wait)
    pace.take(30, within=wait + 0.01)
    assert clock.naps == [pytest.approx(wait)]


def test_a_clock_that_was_set_back_stops_nobody() -> None:
    clock = VirtualClock()
    pace = Pace(1, 1, clock, sleep=clock.sleep)
    pace.take(1, within=0.0)
    clock.time -= 86_400
    pace.take(1, within=1.01)
    assert sum(clock.naps) <= 1.01


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=40))
def test_who_is_frozen_in_its_sleep_and_late_holds_back_those_behind_it(delays: list[float]) -> None:
    clock, left = VirtualClock(0.0), iter(delays)

    def oversleep(seconds: float) -> None:
        clock.time += seconds + next(left, 0.0)

    pace, times = Pace(10, 0, clock, sleep=oversleep), []
    for _ in range(40):
        pace.take(within=FOREVER)
        times.append(clock.time)
    assert most_within_a_second(times) <= 10


def test_threads_that_come_together_go_one_after_the_other() -> None:
    clock, slots, lock = VirtualClock(0.0), Counter[float](), threading.Lock()

    def note(seconds: float) -> None:
        with lock:
            slots[round(seconds, 6)] += 1

    pace = Pace(10, 0, clock, sleep=note)
    threads = [threading.Thread(target=pace.take, kwargs={"within": FOREVER}) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slots.elements()) == pytest.approx([number / 10 for number in range(1, 20)])
