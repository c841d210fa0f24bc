"""The embedded publisher beside a real store: it follows, whoever commits."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Drifted, Rejected, Unreachable
from homing.core.names import Name
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.core.rows import key_of
from homing.publishers.embedded import EmbeddedPublisher
from homing.stores.sqlite import SqliteStore
from tests.conformance.publisher_contract import CAM, ONE, THREE, TWO, ZONE
from tests.conformance.store_contract import make_host, put
from tests.conformance.test_publishers import make_zone
from tests.conformance.test_stores import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUB = Name(f"sub.{ZONE}")
OTHER_PROCESS = """
import sys
from homing.core.names import Name
from homing.stores.sqlite import SqliteStore
from tests.conformance.publisher_contract import TWO
from tests.conformance.store_contract import make_host, put
from tests.conformance.test_stores import FixedClock
store = SqliteStore(sys.argv[1], clock=FixedClock())
put(store, make_host(desired=TWO, version=2))
store.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db", zones=[ZONE], clock=FixedClock())
    yield store
    store.close()


@pytest.fixture
def publisher(store: SqliteStore) -> EmbeddedPublisher:
    return EmbeddedPublisher({ZONE: make_zone(serial=store.zones()[ZONE])}, store)


def shown(publisher: EmbeddedPublisher, key: RRsetKey = CAM) -> RRset | None:
    return publisher.read(ZONE, [key])[key]


def serial(publisher: EmbeddedPublisher) -> int:
    zone = publisher.get_zone_of(ZONE)
    assert zone is not None
    return zone.serial


def test_it_shows_what_was_committed_before_it_began(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    put(store, make_host(desired=ONE), make_host("idle"))
    publisher.follow_if_moved()
    assert shown(publisher) == ONE
    assert serial(publisher) == store.zones()[ZONE]


def test_a_publish_after_the_commit_shows_it_at_once(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    put(store, make_host(desired=ONE))
    publisher.publish(ZONE, [RRsetChange(CAM, None, ONE)])
    put(store, make_host(desired=TWO, version=2))
    publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO)])
    assert shown(publisher) == TWO


def test_a_late_publish_hears_what_the_store_desires_now(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    put(store, make_host(desired=ONE))
    put(store, make_host(desired=THREE, version=2))
    for before in (None, THREE):
        with pytest.raises(Drifted) as caught:
            publisher.publish(ZONE, [RRsetChange(CAM, before, TWO)])
        assert caught.value.held == {CAM: THREE}
    assert shown(publisher) == THREE


def test_it_follows_another_process(store: SqliteStore, publisher: EmbeddedPublisher, tmp_path: Path) -> None:
    put(store, make_host(desired=ONE))
    publisher.follow()
    first = serial(publisher)
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, tmp_path / "store.db"], check=True, timeout=60)
    assert shown(publisher) == ONE
    publisher.follow_if_moved()
    assert shown(publisher) == TWO
    assert serial(publisher) == first + 1 == store.zones()[ZONE]


def test_it_does_not_ask_again_when_nothing_has_moved(store: SqliteStore) -> None:
    asked: list[int] = []

    class Counting:
        has_moved = staticmethod(store.has_moved)

        def changes_since(self, seq: int):  # type: ignore[no-untyped-def] # passed through as it is
            asked.append(seq)
            return store.changes_since(seq)

    publisher = EmbeddedPublisher({ZONE: make_zone()}, Counting())
    put(store, make_host("a", desired=ONE), make_host("b", desired=ONE))
    for _ in range(5):
        publisher.publish(ZONE, [RRsetChange(make_host("a").key, None, ONE)])
    put(store, make_host("c", desired=ONE))
    publisher.follow_if_moved()
    assert asked == [0, 2]


def test_removed_and_deleted_hosts_vanish(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    put(store, make_host("a", desired=ONE), make_host("b", desired=ONE))
    publisher.follow()
    gone = {key_of(make_host("b")): 1}
    put(store, make_host("a", removed_at=1, version=2), also_expects=gone, deletes=tuple(gone))
    publisher.follow()
    assert shown(publisher, make_host("a").key) is shown(publisher, make_host("b").key) is None


def test_a_commit_that_moves_no_address_leaves_the_zone_alone(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    put(store, make_host(desired=ONE))
    publisher.follow()
    zone = publisher.get_zone_of(CAM.name)
    assert zone is not None
    before = zone.version
    put(store, make_host(desired=ONE, version=2, last_checked=5))
    publisher.follow()
    assert zone.version == before


def test_a_new_digest_of_the_settings_moves_the_served_serial(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    store.touch_zone(ZONE, "one")
    publisher.follow()
    first = serial(publisher)
    store.touch_zone(ZONE, "two")
    publisher.follow_if_moved()
    assert serial(publisher) == first + 1


def test_what_the_settings_occlude_is_skipped_and_remembered(store: SqliteStore) -> None:
    cut = RRsetKey(Name(f"deleg.{ZONE}"), "NS")
    zone = make_zone(extra={cut: RRset(60, ("ns.elsewhere.test.",)), CAM: THREE})
    publisher = EmbeddedPublisher({ZONE: zone}, store)
    below, outside = make_host("x.deleg", desired=ONE), make_host(hostname=Name("a.test."), desired=ONE)
    put(store, make_host(desired=ONE), below, outside, make_host("tv", desired=TWO))
    publisher.follow()
    assert shown(publisher) == THREE
    assert shown(publisher, make_host("tv").key) == TWO
    assert set(publisher.skipped) == {CAM, below.key}
    with pytest.raises(Rejected, match="delegated"):
        publisher.publish(ZONE, [RRsetChange(below.key, None, ONE)])
    put(store, below.next(desired=None))
    publisher.follow()
    assert set(publisher.skipped) == {CAM}


def test_a_host_is_shown_by_the_deepest_zone_only(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", zones=[ZONE, SUB], clock=FixedClock())
    publisher = EmbeddedPublisher({ZONE: make_zone(), SUB: make_zone(SUB, {RRsetKey(SUB, "NS"): ONE_NS})}, store)
    host = make_host("cam.sub", desired=ONE)
    put(store, host)
    publisher.follow()
    assert publisher.read(SUB, [host.key]) == {host.key: ONE}
    assert publisher.read(ZONE, [host.key]) == {host.key: None}
    found = publisher.get_zone_of(host.hostname)
    assert found is not None
    assert found.apex == SUB
    assert publisher.get_zone_of(Name("a.test.")) is None
    store.close()


def test_a_store_that_is_gone_is_unreachable(store: SqliteStore, publisher: EmbeddedPublisher) -> None:
    store.close()
    with pytest.raises(Unreachable):
        publisher.publish(ZONE, [RRsetChange(CAM, None, ONE)])


def test_a_zone_that_is_not_served_is_rejected(publisher: EmbeddedPublisher) -> None:
    with pytest.raises(Rejected):
        publisher.publish(Name("test."), [])


ONE_NS = RRset(60, ("ns.elsewhere.test.",))
