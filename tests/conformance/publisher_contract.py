"""What every publisher does, whatever DNS lies behind it. Subclass, give the fixture `publisher` for ZONE, and run."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from homing.core.errors import Drifted
from homing.core.names import Name
from homing.core.records import RRset, RRsetChange, RRsetKey

if TYPE_CHECKING:
    from homing.app.ports import Publisher

ZONE = Name("home.example.")
CAM, TV, NEW = (RRsetKey(Name(f"{label}.{ZONE}"), "A") for label in ("cam", "tv", "new"))
CAM6 = RRsetKey(CAM.name, "AAAA")
ONE, TWO, THREE = (RRset(60, (f"192.0.2.{number}",)) for number in (1, 2, 3))
SIX = RRset(60, ("2001:db8::1",))
INTERLEAVINGS, STEPS = 1000, 30


class PublisherContract:
    """Tests named as sentences of the contract in `homing.app.ports.Publisher`."""

    def test_changes_are_applied_and_can_be_read(self, publisher: Publisher) -> None:
        publisher.publish(ZONE, [create(CAM, ONE), create(CAM6, SIX), create(TV, RRset(5, ("192.0.2.8", "192.0.2.9")))])
        publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO), RRsetChange(CAM6, SIX, None)])
        held = publisher.read(ZONE, [CAM, CAM6, TV, NEW])
        assert held == {CAM: TWO, CAM6: None, TV: RRset(5, ("192.0.2.8", "192.0.2.9")), NEW: None}

    def test_a_ttl_alone_is_a_change(self, publisher: Publisher) -> None:
        publisher.publish(ZONE, [create(CAM, ONE)])
        publisher.publish(ZONE, [RRsetChange(CAM, ONE, RRset(90, ONE.rdata))])
        assert publisher.read(ZONE, [CAM]) == {CAM: RRset(90, ONE.rdata)}

    def test_nothing_to_do_is_fine(self, publisher: Publisher) -> None:
        publisher.publish(ZONE, [])
        assert publisher.read(ZONE, []) == {}

    def test_what_was_published_can_be_published_again(self, publisher: Publisher) -> None:
        publisher.publish(ZONE, [create(CAM, ONE), create(TV, ONE)])
        batch = [RRsetChange(CAM, ONE, TWO), RRsetChange(TV, ONE, None), create(NEW, THREE)]
        for _ in range(3):
            publisher.publish(ZONE, batch)
        assert publisher.read(ZONE, [CAM, TV, NEW]) == {CAM: TWO, TV: None, NEW: THREE}

    def test_half_of_a_batch_that_is_there_already_does_not_hinder_the_rest(self, publisher: Publisher) -> None:
        publisher.publish(ZONE, [create(CAM, ONE), create(TV, ONE)])
        publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO)])
        publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO), RRsetChange(TV, ONE, TWO)])
        assert publisher.read(ZONE, [CAM, TV]) == {CAM: TWO, TV: TWO}

    def test_a_record_that_dns_already_holds_is_adopted(self, publisher: Publisher) -> None:
        publisher.publish(ZONE, [create(CAM, ONE)])
        publisher.publish(ZONE, [RRsetChange(CAM, None, ONE)])
        publisher.publish(ZONE, [RRsetChange(CAM, THREE, ONE)])
        assert publisher.read(ZONE, [CAM]) == {CAM: ONE}

    @pytest.mark.parametrize(
        ("before", "after"),
        [(None, TWO), (THREE, TWO), (THREE, None), (RRset(61, ONE.rdata), TWO)],
        ids=["create on existing", "change of another", "delete of another", "another ttl"],
    )
    def test_drift_tells_what_is_held_and_applies_nothing_of_the_batch(
        self, publisher: Publisher, before: RRset | None, after: RRset | None
    ) -> None:
        publisher.publish(ZONE, [create(CAM, ONE), create(TV, ONE)])
        with pytest.raises(Drifted) as caught:
            publisher.publish(ZONE, [RRsetChange(TV, ONE, TWO), RRsetChange(CAM, before, after), create(NEW, ONE)])
        assert caught.value.held == {CAM: ONE}
        assert publisher.read(ZONE, [CAM, TV, NEW]) == {CAM: ONE, TV: ONE, NEW: None}

    def test_drift_tells_of_what_is_gone(self, publisher: Publisher) -> None:
        with pytest.raises(Drifted) as caught:
            publisher.publish(ZONE, [RRsetChange(CAM, ONE, TWO), create(NEW, ONE)])
        assert caught.value.held == {CAM: None}
        assert publisher.read(ZONE, [CAM, NEW]) == {CAM: None, NEW: None}

    def test_a_late_worker_never_brings_an_older_version_back(self, publisher: Publisher) -> None:
        for seed in range(INTERLEAVINGS):
            history = _race(publisher, seed)
            assert history == sorted(history), f"seed {seed}: {history}"
            assert history[-1] == STEPS, f"seed {seed}: {history}"


def create(key: RRsetKey, rrset: RRset) -> RRsetChange:
    """Make an RRset where none is."""
    return RRsetChange(key, None, rrset)


def _version_of(rrset: RRset | None) -> int:
    return int(rrset.rdata[0].rpartition(".")[2]) if rrset else 0


class _Worker:
    """Looks at DNS, then at the row, and swaps; it may be frozen between any two of these."""

    def __init__(self, publisher: Publisher, key: RRsetKey) -> None:
        self.publisher = publisher
        self.key = key
        self.held: RRset | None = None
        self.wanted: RRset | None = None
        self.todo = "swap"

    def step(self, row: RRset | None) -> None:
        if self.todo == "read":
            self.held = self.publisher.read(ZONE, [self.key])[self.key]
            self.todo = "load"
        elif self.todo == "load":
            self.wanted = row
            self.todo = "swap"
        else:
            self._swap()

    def _swap(self) -> None:
        try:
            self.publisher.publish(ZONE, [RRsetChange(self.key, self.held, self.wanted)])
        except Drifted:
            self.todo = "read"
        else:
            self.held = self.wanted
            self.todo = "load"


def _race(publisher: Publisher, seed: int) -> list[int]:
    """Let two workers and the row's owner take turns at random; return the versions that DNS went through."""
    chance = random.Random(seed)
    key = RRsetKey(Name(f"race{seed}.{ZONE}"), "A")
    workers = [_Worker(publisher, key), _Worker(publisher, key)]
    row: RRset | None = None
    seen: list[int] = []
    version = 0
    while version < STEPS:
        if chance.random() < 0.3:
            version += 1
            row = RRset(60, (f"192.0.2.{version}",))
        else:
            chance.choice(workers).step(row)
            seen.append(_version_of(publisher.read(ZONE, [key])[key]))
    for _ in range(6):
        workers[0].step(row)
    return [*seen, _version_of(publisher.read(ZONE, [key])[key])]
