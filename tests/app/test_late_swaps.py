"""Addresses that come back (A-B-A) while a swap of the one between is under way, lost, or late: DNS ends at the row."""

from __future__ import annotations

import pytest

from homing.app.patience import BACKOFF_CAP
from homing.app.publishing import Outbox
from homing.core.errors import Drifted
from homing.core.hosts import mark_of
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.core.rows import Commit
from tests.app.builders import CAM, SECRET, World, agree, basic, make_host, make_world, once
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE

ONE, TWO, THREE = (RRset(60, (f"1.1.1.{number}",)) for number in (1, 2, 3))
KEY = RRsetKey(CAM, "A")
LOST, DOWN = Faults(lost_reply=1), Faults(unreachable=1)


def drain(world: World) -> None:
    """Publish what is pending, however long a zone was to be left alone."""
    world.clock.time += BACKOFF_CAP
    world.outbox.drain()


def test_what_goes_back_while_another_is_being_published_stays_pending() -> None:
    settled = make_host(desired=ONE, published=ONE)
    between = settled.next(desired=TWO)
    back = between.next(desired=ONE)
    assert back.pending
    assert back.published == TWO  # the worst that DNS can show
    assert not back.next(published=ONE).pending
    assert between.next(desired=THREE).published == ONE
    assert not between.next(rejected="no").next(desired=ONE, rejected=None).pending  # it never was in DNS


def test_an_address_that_comes_back_after_a_lost_reply_is_published() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)
    publisher.faults = LOST
    world.service.update(basic(SECRET, CAM, to=["1.1.1.2"]))
    publisher.faults = Faults()
    world.promise(ONE)
    drain(world)
    assert world.shown() == "1.1.1.1"
    assert agree(world, publisher)


def test_an_address_that_comes_back_after_what_another_doubted_is_published() -> None:
    """Who hears nothing marks the row with what may have landed; that is a guess, and no reason to publish nothing."""
    publisher = FlakyPublisher()
    world = make_world(make_host(), publisher=publisher)
    world.promise(TWO)
    frozen = world.host()
    world.promise(ONE)
    world.outbox.publish([world.host()])
    publisher.faults = DOWN
    world.outbox.publish([frozen])
    assert world.host().pending
    publisher.faults = Faults()
    world.promise(TWO)
    drain(world)
    assert world.shown() == "1.1.1.2"
    assert agree(world, publisher)


def test_a_host_that_is_removed_while_it_is_first_published_does_not_stay_in_dns() -> None:
    publisher = FlakyPublisher(LOST)
    world = make_world(make_host(), publisher=publisher)
    world.service.update(basic(SECRET, CAM, to=["1.1.1.1"]))
    publisher.faults = Faults()
    host = world.host()
    world.store.commit(Commit((mark_of(host, world.clock.time),), {host.key: host.version}))
    drain(world)
    assert publisher.held == {}
    assert agree(world, publisher)


@pytest.mark.parametrize("faults", [Faults(throttled=1), DOWN, LOST])
def test_a_late_swap_that_cannot_be_swapped_back_at_once_is_swapped_back_later(faults: Faults) -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)
    world.promise(TWO)
    frozen = world.host()
    world.promise(ONE)
    world.outbox.publish([world.host()])
    publisher.after = once(lambda: setattr(publisher, "faults", faults))
    world.outbox.publish([frozen])
    publisher.faults = Faults()
    drain(world)
    assert world.shown() == "1.1.1.1"
    assert agree(world, publisher)


def test_what_was_put_there_long_ago_is_no_proof_that_it_is_there() -> None:
    """Between our swap and our mark others went on to another address, and the row came back from there."""
    publisher = FlakyPublisher()
    world = make_world(make_host(), publisher=publisher)
    world.promise(TWO)

    def others() -> None:
        world.promise(ONE)
        world.outbox.publish([world.host()])
        world.promise(TWO)

    publisher.after = once(others)
    world.outbox.drain()
    assert world.shown() == "1.1.1.2"
    assert agree(world, publisher)


def test_a_change_to_the_same_tells_whether_dns_still_holds_it() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, THREE)
    with pytest.raises(Drifted):
        publisher.publish(ZONE, [RRsetChange(KEY, ONE, ONE)])


def test_a_late_swap_that_cannot_be_swapped_back_is_not_marked_away_by_who_looked_before_it() -> None:
    """Another publisher saw DNS right, and froze before its mark; our swap back fails; then the other one marks."""
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)
    world.promise(TWO)
    frozen = world.host()
    world.promise(ONE)

    def late() -> None:
        publisher.after = once(lambda: setattr(publisher, "faults", Faults(throttled=1)))
        world.outbox.publish([frozen])
        publisher.faults = Faults()

    publisher.after = once(late)
    another = Outbox(world.store, publisher, {ZONE}, world.clock, lambda: 1.0)
    another.publish([world.host()])
    drain(world)
    assert world.shown() == "1.1.1.1"
    assert agree(world, publisher)
