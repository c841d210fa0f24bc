"""The agent's waits: they grow, end somewhere, and are never shorter than what a server asked for."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from homing.client.agent.waits import (
    DAY,
    QUIET_CAP,
    QUIET_FIRST,
    SOON_CAP,
    asked,
    calmed,
    full_bucket,
    quiet,
    refused,
    soon,
)

chances = st.floats(0, 1)
failures = st.integers(1, 10_000)


@settings(deadline=None)  # the machine may be busy
@given(failures, chances)
def test_waits_have_a_bound_and_are_never_nothing(count: int, chance: float) -> None:
    assert 1 <= soon(count, chance) <= SOON_CAP
    assert 30 <= asked(count, None, chance) <= 1800
    assert 150 <= refused(count, chance) <= DAY


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0, 1e9), failures, chances)
def test_a_server_is_never_asked_before_it_wants_to_be_but_not_left_for_years(
    retry_after: float, count: int, chance: float
) -> None:
    wait = asked(count, retry_after, chance)
    assert wait >= min(retry_after, DAY)
    assert wait <= DAY + 60


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0, 1e6))
def test_a_network_that_swings_is_given_ever_more_time(flaps: float) -> None:
    assert QUIET_FIRST <= quiet(flaps) <= quiet(flaps + 1) <= QUIET_CAP
    assert quiet(calmed(flaps, 61 * flaps)) == QUIET_FIRST


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.floats(0, 500), max_size=60), st.integers(1, 5), st.integers(1, 100))
def test_a_bucket_gives_no_more_than_its_burst_and_its_rate(pauses: list[float], burst: int, seconds: int) -> None:
    now, taken = 1e6, 0
    bucket = full_bucket(burst, seconds, now)
    for pause in pauses:
        now += pause
        if bucket.ready_at(now) <= now:
            bucket = bucket.taken(now)
            taken += 1
    assert taken <= burst + sum(pauses) / seconds + 1e-6


def test_a_token_is_there_at_the_time_that_was_promised() -> None:
    bucket = full_bucket(1, 60, 123456.789).taken(123456.789)
    ready = bucket.ready_at(123456.789)
    assert bucket.ready_at(ready) <= ready
    assert abs(ready - 123516.789) < 1e-3
