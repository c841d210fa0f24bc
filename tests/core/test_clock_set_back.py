"""A clock that was set back: what is counted in time goes on from there, and does not wait until the clock is back."""

from __future__ import annotations

import pytest
from tests.app.builders import World, fail_with, make_world, pending
from tests.app.flaky_publisher import Faults, FlakyPublisher

from homing.core.errors import Throttled
from homing.core.limits import Buckets, Rate

DAY = 86_400.0


def set_back(world: World) -> None:
    world.clock.time -= DAY


def test_a_bucket_refills_after_the_clock_was_set_back() -> None:
    buckets, now = Buckets(Rate(burst=2, per_second=1)), 10 * DAY
    assert [buckets.take("a", now) for _ in range(3)] == [True, True, False]
    assert not buckets.has("a", now - DAY)
    assert buckets.take("a", now - DAY + 1)
    assert not buckets.take("a", now - DAY + 1)


def test_the_wait_that_is_told_after_the_clock_was_set_back_is_enough() -> None:
    buckets, now = Buckets(Rate(burst=1, per_second=1)), 10 * DAY
    buckets.take("a", now)
    wait = buckets.seconds_until_one("a", now - DAY)
    assert wait == pytest.approx(1)
    assert buckets.has("a", now - DAY + wait)


def test_a_zone_that_backs_off_is_tried_again_when_the_clock_was_set_back() -> None:
    publisher = FlakyPublisher(Faults(unreachable=1))
    world = make_world(pending(), publisher=publisher)
    assert [world.outbox.drain(), world.outbox.drain()] == [1, 0]
    publisher.faults = Faults()
    set_back(world)
    assert world.outbox.drain() == 1
    assert world.shown() == "1.1.1.1"


def test_a_zone_that_asked_to_wait_is_published_to_when_the_clock_was_set_back() -> None:
    publisher = FlakyPublisher()
    publisher.before = fail_with(Throttled("slower", retry_after=60.0), times=1)
    world = make_world(pending(), publisher=publisher)
    for _ in range(2):
        world.outbox.publish([world.host()])
    assert world.shown() is None
    set_back(world)
    world.outbox.publish([world.host()])
    assert world.shown() == "1.1.1.1"
