"""What DNS will never take: it is found, shown, and holds up nothing else."""

from __future__ import annotations

import pytest

from homing.core.errors import Unreachable
from homing.core.names import Name
from homing.core.records import RRset, RRsetKey
from tests.app.builders import (
    CAM,
    NAS,
    TV,
    fail_with,
    make_world,
    once,
    pending,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE

ONE, TWO, THREE = (RRset(60, (f"1.1.1.{number}",)) for number in (1, 2, 3))
KEY = RRsetKey(CAM, "A")
DOWN = Faults(unreachable=1)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_the_one_bad_change_is_found_and_all_others_are_published(count: int) -> None:
    names = [Name(f"h{number:02}.{ZONE}") for number in range(count)]
    for culprit in {names[0], names[count // 2], names[-1]}:
        publisher = FlakyPublisher(rejected=[culprit])
        world = make_world(*(pending(name) for name in names), publisher=publisher)
        assert world.outbox.publish([world.host(name) for name in names]).rejected == {RRsetKey(culprit, "A")}
        assert {key.name for key in publisher.held} == set(names) - {culprit}
        assert "not taken" in (world.host(culprit).rejected or "")
        assert len(publisher.calls) <= 2 * count.bit_length() + 1
        assert world.outbox.drain() == 0


def test_several_bad_changes_are_found() -> None:
    names = [Name(f"h{number}.{ZONE}") for number in range(9)]
    publisher = FlakyPublisher(rejected=names[::2])
    world = make_world(*(pending(name) for name in names), publisher=publisher)
    world.outbox.drain()
    assert {key.name for key in publisher.held} == set(names[1::2])
    assert [name for name in names if world.host(name).rejected] == names[::2]


def test_a_bad_change_is_known_even_if_the_rest_of_its_batch_could_not_be_sent() -> None:
    publisher = FlakyPublisher(rejected=[TV])
    world = make_world(pending(), pending(TV), pending(NAS), publisher=publisher)
    publisher.before = once(lambda: None, fail_with(Unreachable("once")))
    assert world.outbox.publish([world.host(name) for name in (CAM, NAS, TV)]).rejected == {RRsetKey(TV, "A")}
    assert publisher.held == {RRsetKey(NAS, "A"): ONE}
    assert (world.host().pending, world.host().rejected) == (True, None)


def test_a_quarantine_that_lost_a_race_is_not_written() -> None:
    publisher = FlakyPublisher(rejected=[CAM])
    world = make_world(pending(), publisher=publisher)
    stale = world.host()
    world.put(pending(desired=TWO, version=1))
    assert world.outbox.publish([stale]).rejected == set()
    assert world.host().rejected is None
    assert world.host().pending


def test_a_bad_change_and_drift_in_one_batch() -> None:
    publisher = FlakyPublisher(rejected=[TV])
    publisher.set(KEY, THREE)
    world = make_world(pending(), pending(TV), pending(NAS), publisher=publisher)
    world.outbox.drain()
    assert publisher.held == {KEY: ONE, RRsetKey(NAS, "A"): ONE}
