"""The outbox: whatever DNS does, store and DNS agree in the end."""

from __future__ import annotations

import pytest

from homing.app.patience import BACKOFF_CAP
from homing.app.publishing import Outbox
from homing.core.errors import Conflict, StoreUnavailable
from homing.core.names import Name
from homing.core.outcomes import Outcome
from homing.core.records import RRset, RRsetKey
from homing.core.rows import Commit, key_of
from tests.app.builders import (
    CAM,
    NAS,
    OTHER_ZONE,
    SECRET,
    START,
    TV,
    agree,
    basic,
    make_host,
    make_world,
    pending,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE, PublisherContract

ONE, TWO, THREE = (RRset(60, (f"1.1.1.{number}",)) for number in (1, 2, 3))
KEY = RRsetKey(CAM, "A")
DOWN = Faults(unreachable=1)


class TestFlakyPublisherWithoutFaults(PublisherContract):
    @pytest.fixture
    def publisher(self) -> FlakyPublisher:
        return FlakyPublisher()


# --- published and marked


def test_what_is_pending_is_published_and_marked_once() -> None:
    publisher = FlakyPublisher()
    world = make_world(pending(), pending(TV, TWO), pending(Name(f"x.{OTHER_ZONE}")), publisher=publisher)
    assert world.outbox.drain() == 3
    assert agree(world, publisher)
    assert world.host().version == 2
    assert len(publisher.calls) == 2  # one for each zone
    assert (world.outbox.drain(), len(publisher.calls)) == (0, 2)


def test_a_host_that_was_withdrawn_leaves_dns() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(pending(desired=None, published=ONE), publisher=publisher)
    world.outbox.drain()
    assert publisher.held == {}
    assert world.host().published is None


def test_the_mark_is_written_under_the_version_that_was_published() -> None:
    publisher = FlakyPublisher()
    world = make_world(pending(), publisher=publisher)
    moved = False

    def move() -> None:
        nonlocal moved
        if not moved:
            moved = True
            host = world.host()
            world.store.commit(Commit((host.next(desired=TWO),), {key_of(host): host.version}))

    publisher.after = move
    world.outbox.drain()
    assert publisher.history == [(KEY, ONE), (KEY, TWO)]
    assert agree(world, publisher)
    assert world.host().version == 3  # moved, marked: the mark of the first address was never written


def test_a_host_in_a_zone_that_is_no_longer_served_waits_and_hinders_nobody() -> None:
    publisher = FlakyPublisher()
    world = make_world(pending(Name("a.gone.example.")), pending(), publisher=publisher)
    assert world.outbox.drain() == 1
    assert publisher.held == {KEY: ONE}


def test_where_dns_follows_the_store_nothing_is_ever_pending() -> None:
    world = make_world(make_host())
    world.service.update(basic(SECRET, CAM, to=["1.1.1.1"]))
    assert (world.host().published, world.host().version) == (world.host().desired, 2)
    assert world.outbox.drain() == 0


def conflicts(_: Commit) -> None:
    raise Conflict("moved")


def test_marks_that_never_succeed_do_not_turn_for_ever() -> None:
    publisher = FlakyPublisher()
    world = make_world(pending(), publisher=publisher)
    world.store.before_commit = conflicts
    world.outbox.drain()
    assert len(publisher.calls) < 20


# --- retries


def test_failures_are_retried_with_full_jitter_that_doubles_to_a_cap() -> None:
    publisher = FlakyPublisher(DOWN)
    shares = iter([0.5, 1.0, 0.0] + [1.0] * 20)
    world = make_world(pending(), publisher=publisher, jitter=lambda: next(shares))
    for wait in (0.5, 2.0, 0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, BACKOFF_CAP, BACKOFF_CAP):
        calls = len(publisher.calls)
        world.outbox.drain()
        assert len(publisher.calls) == calls + 1
        if wait:
            world.clock.time += wait - 0.01
            assert world.outbox.drain() == 0
            world.clock.time += 0.01
    publisher.faults = Faults()
    world.outbox.drain()
    assert agree(world, publisher)
    publisher.faults = DOWN  # it worked, so the next failure begins anew
    world.service.update(basic(SECRET, CAM, to=["1.1.1.9"]))
    world.clock.time += 1.0
    assert world.outbox.drain() == 1


def test_dns_that_asks_to_go_slower_is_obeyed() -> None:
    publisher = FlakyPublisher(Faults(throttled=1))
    world = make_world(pending(), publisher=publisher, jitter=lambda: 0.0)
    world.outbox.drain()
    world.clock.time += 1.99
    assert world.outbox.drain() == 0
    world.clock.time += 0.01
    assert world.outbox.drain() == 1


def test_a_zone_in_trouble_holds_up_no_other() -> None:
    publisher = FlakyPublisher(DOWN)
    elsewhere = Name(f"x.{OTHER_ZONE}")
    world = make_world(pending(), publisher=publisher)
    world.outbox.drain()
    publisher.faults = Faults()
    world.put(pending(elsewhere))
    assert world.outbox.drain() == 1
    assert list(publisher.held) == [RRsetKey(elsewhere, "A")]


def test_what_is_pending_survives_a_restart() -> None:
    publisher = FlakyPublisher(DOWN)
    world = make_world(make_host(), publisher=publisher)
    assert world.service.update(basic(SECRET, CAM, to=["1.1.1.1"])).outcome is Outcome.UPDATED
    publisher.faults = Faults()
    restarted = Outbox(world.store, publisher, {ZONE}, world.clock, lambda: 1.0)
    assert restarted.drain() == 1
    assert agree(world, publisher)


def test_a_lost_reply_converges() -> None:
    publisher = FlakyPublisher(Faults(lost_reply=1))
    world = make_world(make_host(), publisher=publisher)
    world.service.update(basic(SECRET, CAM, to=["1.1.1.1"]))
    assert (world.shown(), world.host().pending) == ("1.1.1.1", True)
    world.service.update(basic(SECRET, CAM, to=["1.1.1.2"]))  # DNS is not where the row believes it is
    publisher.faults = Faults()
    world.clock.time += 9
    world.outbox.drain()
    assert agree(world, publisher)
    assert world.shown() == "1.1.1.2"


def test_a_late_swap_of_an_older_address_whose_reply_is_lost_is_made_up_for() -> None:
    """There and back again: the row has settled on the old address, and a publisher frozen on the new one wakes up."""
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)
    world.promise(TWO)
    frozen = world.host()
    world.promise(ONE)
    world.outbox.publish([world.host()])
    publisher.faults = Faults(lost_reply=1)
    world.outbox.publish([frozen])
    publisher.faults = Faults()
    world.clock.time += BACKOFF_CAP
    world.outbox.drain()
    assert world.shown() == "1.1.1.1"
    assert agree(world, publisher)


@pytest.mark.parametrize("seed", range(20))
def test_a_faulty_dns_converges(seed: int) -> None:
    publisher = FlakyPublisher(Faults(throttled=0.3, unreachable=0.1, lost_reply=0.1), seed)
    names = [Name(f"h{number}.{ZONE}") for number in range(6)]
    world = make_world(*(make_host(name) for name in names), publisher=publisher)
    for number in range(40):
        name = names[number * 7 % 6]
        request = basic(SECRET, name, username=name, to=[f"1.1.1.{number}"])
        assert world.service.update(request).outcome is Outcome.UPDATED
        if number % 3 == 0:
            world.clock.time += 3
            world.outbox.drain()
    for _ in range(60):
        world.clock.time += BACKOFF_CAP
        world.outbox.drain()
    assert agree(world, publisher)


def test_a_store_that_fails_after_publishing_is_made_up_for() -> None:
    publisher = FlakyPublisher()
    world = make_world(pending(), publisher=publisher)
    world.store.before_commit = lambda _: (_ for _ in ()).throw(StoreUnavailable("off"))
    world.outbox.drain()
    assert world.host().pending
    world.store.before_commit = lambda _: None
    world.outbox.drain()
    assert agree(world, publisher)


# --- drift


@pytest.mark.parametrize("held", [ONE, TWO, THREE, None, RRset(99, ("192.0.2.1", "192.0.2.2"))])
@pytest.mark.parametrize("published", [None, TWO])
def test_whatever_dns_held_before_is_adopted(held: RRset | None, published: RRset | None) -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, held)
    world = make_world(pending(published=published), pending(TV, TWO), publisher=publisher)
    world.outbox.drain()
    assert agree(world, publisher)


def test_a_host_that_was_never_set_leaves_the_record_of_somebody_else_alone() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(), make_host(NAS, removed_at=1, last_updated=1), publisher=publisher)
    for name in (CAM, NAS):
        publisher.set(world.host(name).key, ONE)
    world.outbox.publish([world.host(CAM), world.host(NAS)])
    assert publisher.calls == []
    assert len(publisher.held) == 2
    withdrawn = world.host(CAM).next(last_updated=1)  # it had an address once, which Homing took away
    world.store.commit(Commit((withdrawn,), {withdrawn.key: withdrawn.version - 1}))
    world.outbox.publish([world.host(CAM)])
    assert publisher.held.get(world.host(CAM).key) is None


def test_dns_is_read_first_and_then_the_row() -> None:
    """A publisher that slept through two changes must not put its old value back."""
    publisher = FlakyPublisher()
    world = make_world(pending(), publisher=publisher)
    stale = world.host()
    world.service.update(basic(SECRET, CAM, to=["1.1.1.2"]))
    world.service.update(basic(SECRET, CAM, to=["1.1.1.3"]))
    publisher.history.clear()
    world.outbox.publish([stale])
    assert publisher.history == []
    assert agree(world, publisher)


def test_dns_that_moves_all_the_time_is_left_for_later() -> None:
    publisher = FlakyPublisher()
    world = make_world(pending(), publisher=publisher)
    numbers = iter(range(1000))
    publisher.before = lambda: publisher.set(KEY, RRset(60, (f"192.0.2.{next(numbers)}",)))
    world.outbox.drain()
    assert world.host().pending
    publisher.before = lambda: None
    world.clock.time += 1
    world.outbox.drain()
    assert agree(world, publisher)


# --- how far behind


def test_the_backlog_is_as_old_as_its_oldest_host() -> None:
    publisher = FlakyPublisher(DOWN)
    world = make_world(make_host(), make_host(TV), publisher=publisher)
    assert world.outbox.backlog_age() == 0
    for name in (CAM, TV):
        world.service.update(basic(SECRET, name, username=name, to=["1.1.1.1"]))
        world.clock.time += 30
    assert world.clock.time == START + 60
    assert world.outbox.backlog_age() == 60
    publisher.faults = Faults()
    world.outbox.drain()
    assert world.outbox.backlog_age() == 0


def test_a_removed_host_waits_since_its_removal_and_a_new_one_since_now() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    long_ago = int(START) - 10**7
    world = make_world(make_host(desired=ONE, published=ONE, last_updated=long_ago), publisher=publisher)
    publisher.faults = DOWN
    world.administration.remove_host(CAM)
    world.clock.time += 30
    assert world.outbox.backlog_age() == 30
    world.administration.add_host(CAM, ["A"])  # never updated, and DNS still shows the old address
    assert world.outbox.backlog_age() == 0
