"""Compare and repair: the store against what DNS shows, beside publishers that go on working."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.app.publishing import Difference
from homing.core.errors import Unreachable
from homing.core.names import Name
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.core.rows import Commit
from tests.app.builders import (
    CAM,
    NAS,
    TV,
    World,
    agree,
    make_host,
    make_world,
    once,
    pending,
)
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE

if TYPE_CHECKING:
    from collections.abc import Sequence


ONE, TWO, THREE = (RRset(60, (f"1.1.1.{number}",)) for number in (1, 2, 3))
KEY = RRsetKey(CAM, "A")
DOWN = Faults(unreachable=1)


def broken() -> tuple[World, FlakyPublisher]:
    publisher = FlakyPublisher()
    world = make_world(
        pending(published=ONE), pending(TV, None, published=TWO), pending(NAS, TWO, rejected="why"),
        pending(Name(f"ok.{ZONE}"), published=ONE), publisher=publisher,
    )  # fmt: skip
    publisher.set(KEY, THREE)
    publisher.set(RRsetKey(TV, "A"), TWO)
    publisher.set(RRsetKey(Name(f"ok.{ZONE}"), "A"), ONE)
    return world, publisher


EXPECTED = {
    Difference(KEY, ONE, THREE),
    Difference(RRsetKey(TV, "A"), None, TWO),
    Difference(RRsetKey(NAS, "A"), TWO, None, "why"),
}


def test_a_dry_run_shows_what_differs_and_touches_nothing() -> None:
    world, publisher = broken()
    held, commits = dict(publisher.held), world.store.commits
    assert set(world.outbox.reconcile(repair=False)) == EXPECTED
    assert (publisher.held, world.store.commits) == (held, commits)


def test_a_repair_makes_dns_agree_and_clears_the_quarantine() -> None:
    world, publisher = broken()
    assert set(world.outbox.reconcile(repair=True)) == EXPECTED
    assert agree(world, publisher)
    assert world.host(NAS).rejected is None
    assert list(world.outbox.reconcile(repair=True)) == []


def test_of_a_host_without_an_address_nothing_was_promised_and_a_wildcard_may_answer_for_it() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(make_host(), publisher=publisher)
    assert list(world.outbox.reconcile(repair=True)) == []
    assert world.shown() == "1.1.1.1"


def test_a_repair_that_was_frozen_before_its_swap_notices_that_the_row_moved_on() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, TWO)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)
    other = make_world(publisher=publisher, store=world.store)

    def publish_the_next() -> None:
        world.promise(TWO)
        other.outbox.publish([world.host()])

    publisher.before = once(publish_the_next)
    list(world.outbox.reconcile(repair=True))
    assert world.shown() == world.host().ip_address == "1.1.1.2"


def test_what_was_published_while_dns_was_compared_is_no_difference_and_is_not_undone() -> None:
    publisher = FlakyPublisher()
    publisher.set(KEY, ONE)
    world = make_world(make_host(desired=ONE, published=ONE), publisher=publisher)

    def publish_the_next() -> None:
        world.promise(TWO)
        make_world(publisher=publisher, store=world.store).outbox.publish([world.host()])

    publisher.before_read = once(publish_the_next)
    publisher.history.clear()
    assert list(world.outbox.reconcile(repair=True)) == []
    assert publisher.history == [(KEY, TWO)]


# --- where DNS follows the store


class Lagging(FlakyPublisher):
    """A DNS that follows the store, and has missed something."""

    follows_store = True

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        """What is told to it changes nothing: it follows."""


def lagging() -> World:
    """A host that the store believes to be shown, and DNS does not show."""
    return make_world(make_host(desired=ONE, published=ONE), make_host(TV), publisher=Lagging())


def test_a_dns_that_lags_is_found_and_sees_its_row_committed_again() -> None:
    world = lagging()
    assert list(world.outbox.reconcile(repair=True)) == [Difference(KEY, ONE, None)]
    assert (world.host().version, world.host().desired, world.host().pending) == (2, ONE, False)
    assert world.host(TV).version == 1


def test_a_dry_run_beside_a_dns_that_lags_commits_nothing() -> None:
    world = lagging()
    assert list(world.outbox.reconcile(repair=False)) == [Difference(KEY, ONE, None)]
    assert world.host().version == 1


def test_a_row_that_moves_while_it_is_repaired_is_left_to_who_moved_it() -> None:
    world = lagging()
    world.store.before_commit = once(lambda: world.promise(TWO))
    assert list(world.outbox.reconcile(repair=True)) == [Difference(KEY, ONE, None)]
    assert (world.host().version, world.host().desired) == (2, TWO)


def test_a_row_that_was_left_pending_is_marked_where_dns_follows_the_store() -> None:
    """As in a store that another publisher was used with before."""
    world = make_world(make_host(desired=ONE))
    assert world.host().pending
    assert world.outbox.drain() == 1
    assert not world.host().pending
    assert world.outbox.drain() == 0


class Unsure(Lagging):
    """A DNS that follows the store, and cannot tell whether it has."""

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        raise Unreachable("the store does not answer")


def test_no_answer_from_a_dns_that_follows_the_store_makes_no_row_pending() -> None:
    world = make_world(make_host(desired=ONE, published=ONE), publisher=Unsure())
    before = world.host()
    world.store.commit(Commit((before.next(desired=TWO, published=TWO),), {before.key: before.version}))
    world.outbox.publish([before])
    assert not world.host().pending
