"""What finds pending hosts may lag, and may find many that cannot be published now: neither holds up the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Unreachable
from homing.core.names import Name
from tests.app.builders import CAM, ONE, OTHER_ZONE, SECRET, WatchedStore, legacy, make_host, make_world, pending
from tests.app.flaky_publisher import FlakyPublisher
from tests.conformance.publisher_contract import TWO, ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homing.app.publishing import Difference
    from homing.core.hosts import Host
    from homing.core.rows import Commit

OTHER = Name(f"cam.{OTHER_ZONE}")


class LaggingStore(WatchedStore):
    """A store whose index of pending hosts shows what it was asked to show."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Host] = []

    def find_pending(self, limit: int, is_wanted: Callable[[Host], bool] = lambda _: True) -> Sequence[Host]:
        return [host for host in self.shown if is_wanted(host)][:limit] or super().find_pending(limit, is_wanted)


def test_a_drain_never_publishes_what_the_index_shows_of_the_past() -> None:
    store, publisher = LaggingStore(), FlakyPublisher()
    world = make_world(pending(desired=ONE), publisher=publisher, store=store)
    store.shown = [world.host()]
    world.promise(TWO)
    world.outbox.drain()
    assert [rrset for _, rrset in publisher.history] == [TWO]


def test_many_hosts_of_a_zone_in_trouble_do_not_hide_another_zone() -> None:
    publisher = FlakyPublisher()
    hosts = [pending(Name(f"a{number}.{ZONE}")) for number in range(5)]
    world = make_world(*hosts, pending(OTHER), publisher=publisher)
    publisher.before = _raise_once(Unreachable("no answer"))
    world.outbox.drain(limit=3)
    world.outbox.drain(limit=3)
    assert world.shown(OTHER) == ONE.rdata[0]


def test_one_failing_zone_does_not_end_a_reconcile_and_is_told_at_its_end() -> None:
    publisher = FlakyPublisher()
    world = make_world(make_host(last_updated=1, desired=ONE), make_host(OTHER, last_updated=1, desired=ONE),
                       publisher=publisher)  # fmt: skip
    publisher.before_read = _raise_once(Unreachable("no answer"))
    found: list[Difference] = []
    with pytest.raises(Unreachable):
        found.extend(world.outbox.reconcile(repair=True))
    assert [world.shown(name) for name in (CAM, OTHER)].count(ONE.rdata[0]) == 1


def test_hosts_of_a_zone_that_is_not_served_do_not_age_the_backlog() -> None:
    world = make_world(pending(Name("cam.elsewhere.example."), last_updated=1), publisher=FlakyPublisher())
    assert world.outbox.backlog_age() == 0


def test_a_note_of_a_poll_is_one_write_that_rests_on_nothing_else() -> None:
    commits: list[Commit] = []
    world = make_world(make_host(), publisher=FlakyPublisher())
    world.store.before_commit = commits.append
    world.service.update(legacy(SECRET))
    world.clock.time += 2 * 86_400
    del commits[:]
    world.service.update(legacy(SECRET))
    assert [set(commit.expects) for commit in commits] == [{world.host(CAM).key}]


def _raise_once(error: Exception) -> Callable[[], None]:
    errors = [error]

    def fail() -> None:
        if errors:
            raise errors.pop()

    return fail
