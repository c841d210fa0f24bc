"""Full jitter within a total time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.aws.budget import MAX_WAITS, Budget, Deadline, full_jitter
from tests.aws.fakes import FakeClock


def test_waits_double_up_to_the_cap_and_stop_before_the_time_is_over() -> None:
    clock = FakeClock()
    budget = Budget(1.0, clock, clock.sleep, lambda upper: upper, first=0.05, cap=0.3)
    while budget.wait():
        pass
    assert clock.slept == pytest.approx([0.05, 0.1, 0.2, 0.3])
    assert budget.remaining() == pytest.approx(0.35)


@given(
    seconds=st.floats(min_value=0, max_value=20),
    attempt=st.floats(min_value=0, max_value=3),
    draws=st.lists(st.floats(min_value=0, max_value=1), min_size=40, max_size=40),
)
def test_waits_and_attempts_end_within_the_budget_and_one_attempt(
    seconds: float, attempt: float, draws: list[float]
) -> None:
    clock = FakeClock()
    began = clock.time
    budget = Budget(seconds, clock, clock.sleep, lambda upper: upper * draws.pop())
    while True:
        clock.time += min(attempt, budget.remaining())
        if not budget.wait():
            break
    assert clock.time - began <= seconds + 0.001
    assert len(clock.slept) <= MAX_WAITS


def test_time_slept_counts_even_if_the_clock_stands_still() -> None:
    slept: list[float] = []
    budget = Budget(0.5, FakeClock(), slept.append, lambda upper: upper)
    while budget.wait():
        pass
    assert sum(slept) < 0.5


def test_a_clock_that_stands_still_without_a_wait_does_not_go_on_for_ever() -> None:
    budget = Budget(1.0, FakeClock(), lambda _: None, lambda _: 0.0)
    waits = 0
    while budget.wait():
        waits += 1
    assert waits == MAX_WAITS


def test_a_wait_lasts_at_least_what_is_asked_for() -> None:
    clock = FakeClock()
    budget = Budget(5.0, clock, clock.sleep, lambda _: 0.0)
    assert budget.wait(at_least=2.0)
    assert clock.slept == [2.0]
    assert not budget.wait(at_least=4.0)
    assert clock.slept == [2.0]


def test_full_jitter_is_anywhere_between_nothing_and_the_bound() -> None:
    drawn = [full_jitter(2.0) for _ in range(1000)]
    assert all(0 <= one < 2 for one in drawn)
    assert min(drawn) < 0.2
    assert max(drawn) > 1.8


def test_a_deadline_shortens_what_ends_after_it() -> None:
    deadline = Deadline()
    assert deadline.shorten(5.0, 1_800_000_000.0) == 5.0
    deadline.at = 1_800_000_002.0
    assert deadline.shorten(5.0, 1_800_000_000.0) == 2.0
    assert deadline.shorten(1.0, 1_800_000_000.0) == 1.0
    assert deadline.shorten(5.0, 1_800_000_003.0) == 0.0
