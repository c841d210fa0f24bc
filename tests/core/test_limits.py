"""Token buckets: never more than their rate, never less, and never more memory than was allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.limits import Buckets, Rate

RATE = Rate(burst=3, per_second=0.5)
STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 10)), max_size=60)


def test_a_burst_is_allowed_and_then_one_for_each_interval() -> None:
    buckets = Buckets(RATE)
    assert [buckets.take("a", 100.0) for _ in range(4)] == [True, True, True, False]
    assert not buckets.take("a", 101.9)
    assert buckets.take("a", 102.0)
    assert not buckets.take("a", 102.0)


def test_keys_have_budgets_of_their_own() -> None:
    buckets = Buckets(RATE)
    while buckets.take("a", 0.0):
        pass
    assert buckets.has("b", 0.0)


def test_a_look_takes_nothing() -> None:
    buckets = Buckets(Rate(1, 1))
    assert all(buckets.has("a", 0.0) for _ in range(9))
    assert len(buckets) == 0
    assert buckets.take("a", 0.0)
    assert not buckets.has("a", 0.0)


@given(STEPS)
def test_nobody_gets_more_than_burst_and_rate_and_nobody_less(steps: list[tuple[str, float]]) -> None:
    buckets, now = Buckets(RATE), 0.0
    levels = {"a": RATE.burst, "b": RATE.burst}
    for key, pause in steps:
        now += pause
        levels = {one: min(RATE.burst, level + pause * RATE.per_second) for one, level in levels.items()}
        taken = buckets.take(key, now)
        if abs(levels[key] - 1) > 1e-6:
            assert taken == (levels[key] >= 1)
        levels[key] -= taken


@given(st.integers(1, 9), st.floats(0, 100))
def test_the_wait_that_is_told_is_enough_and_no_more(taken: int, now: float) -> None:
    buckets = Buckets(RATE)
    for _ in range(taken):
        buckets.take("a", now)
    wait = buckets.seconds_until_one("a", now)
    assert buckets.has("a", now + wait + 1e-6)
    if wait > 0:
        assert not buckets.has("a", now + wait - 0.01)


def test_a_clock_that_jumps_back_gives_nothing() -> None:
    buckets = Buckets(RATE)
    while buckets.take("a", 1000.0):
        pass
    assert not buckets.take("a", 10.0)
    assert buckets.level("a", 10.0) == pytest.approx(0)


def test_a_million_keys_take_no_more_memory_than_allowed() -> None:
    buckets = Buckets(RATE, max_entries=50)
    for number in range(2_000):
        buckets.take(number, 0.0)
        assert len(buckets) <= 50


def test_what_has_refilled_is_forgotten_first() -> None:
    buckets = Buckets(Rate(burst=2, per_second=1), max_entries=4)
    for key in ("old", "old", "older"):
        buckets.take(key, 0.0)
    buckets.take("new", 100.0)
    buckets.take("new", 100.0)
    for key in ("x", "y", "z"):
        buckets.take(key, 100.0)
    assert not buckets.has("new", 100.0)
