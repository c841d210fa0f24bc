"""Two publishers of one store, each frozen at any step for any time, in 2,000 seeded schedules: DNS ends at the store.

Each publisher is a thread that runs only while the schedule lets it, from one call to the store or to DNS to the next.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from homing.app.publishing import Outbox
from homing.core.errors import Conflict
from homing.core.records import RRset, RRsetKey
from homing.core.rows import Commit, key_of
from tests.app.builders import CAM, TV, WatchedStore, World, make_host, make_world
from tests.app.flaky_publisher import Faults, FlakyPublisher
from tests.conformance.publisher_contract import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEDULES = 2_000
KEYS = [RRsetKey(CAM, "A"), RRsetKey(TV, "A")]


class Frozen:
    """A thread that waits at every `pause` until it is let on with `step`."""

    _of_thread: dict[int, Frozen] = {}  # noqa: RUF012 - the threads of this process

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.done = False
        self.error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def step(self) -> None:
        self._go.release()
        self._stopped.acquire()
        if self.error:
            raise self.error

    @classmethod
    def pause(cls) -> None:
        """Wait, in a thread that is one of these; do nothing in any other."""
        me = cls._of_thread.get(threading.get_ident())
        if me is not None:
            me._stopped.release()
            me._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        self._of_thread[threading.get_ident()] = self
        try:
            self._work()
        except BaseException as error:  # shown by whoever steps
            self.error = error
        del self._of_thread[threading.get_ident()]
        self.done = True
        self._stopped.release()


class Schedule:
    """Turns taken at random by the hosts' owners, by somebody at the DNS console, and by two publishers."""

    def __init__(
        self,
        seed: int,
        *,
        values: Iterator[int],
        faults: Faults | None = None,
        meddling: bool = False,
        store: WatchedStore | None = None,
    ) -> None:
        self.chance = random.Random(seed)
        self.values = values
        self.meddling = meddling
        self.publisher = FlakyPublisher(faults, seed)
        store = store or WatchedStore()
        store.before_load, store.before_commit = lambda: None, lambda _: None
        self.world: World = make_world(make_host(), make_host(TV), publisher=self.publisher, store=store)
        store.before_load = Frozen.pause
        store.before_commit = lambda _: Frozen.pause()
        self.publisher.before = self.publisher.after = Frozen.pause
        self.outboxes = [self._outbox(), self._outbox()]
        self.workers: list[Frozen | None] = [None, None]

    def run(self, turns: int = 40) -> None:
        for _ in range(turns):
            turn = self.chance.random()
            if turn < 0.25:
                self._update(self.chance.choice(KEYS))
            elif turn < 0.28 and self.meddling:
                self.publisher.set(self.chance.choice(KEYS), RRset(60, ("192.0.2.99",)))
            else:
                self._step(self.chance.randrange(2))
        while any(self.workers):
            self._step(self.chance.choice([number for number, worker in enumerate(self.workers) if worker]))
        self.publisher.faults = Faults()
        self._outbox().drain()

    def _step(self, number: int) -> None:
        self.world.clock.time += 400
        worker = self.workers[number] or Frozen(self.outboxes[number].drain)
        worker.step()
        self.workers[number] = None if worker.done else worker

    def _update(self, key: RRsetKey) -> None:
        """An update of the owner: committed, and not yet published."""
        host = self.world.host(key.name)
        value = next(self.values)
        desired = RRset(60, (f"1.1.{value // 256}.{value % 256}",)) if value else None
        self.world.store.commit(Commit((host.next(desired=desired),), {key_of(host): host.version}))

    def _outbox(self) -> Outbox:
        return Outbox(self.world.store, self.publisher, {ZONE}, self.world.clock, lambda: 1.0)

    def desired(self) -> dict[RRsetKey, RRset]:
        hosts = [self.world.host(key.name) for key in KEYS]
        assert not any(host.pending for host in hosts)
        return {host.key: host.desired for host in hosts if host.desired}


def growing() -> Iterator[int]:
    yield from range(1, 10_000)


def returning(seed: int) -> Iterator[int]:
    """A, B, A: three values that come again and again, one of which is none at all."""
    chance = random.Random(seed)
    while True:
        yield chance.randrange(3)


def _value(rrset: RRset | None) -> int:
    assert rrset is not None
    high, low = rrset.rdata[0].split(".")[2:]
    return int(high) * 256 + int(low)


@pytest.mark.slow
def test_no_frozen_publisher_ever_brings_an_older_address_back() -> None:
    for seed in range(SCHEDULES):
        schedule = Schedule(seed, values=growing())
        schedule.run()
        assert schedule.publisher.held == schedule.desired(), seed
        for key in KEYS:
            shown = [_value(rrset) for at, rrset in schedule.publisher.history if at == key]
            assert shown == sorted(set(shown)), f"seed {seed}: {key.name} went back: {shown}"


@pytest.mark.slow
def test_addresses_that_return_end_where_the_store_is() -> None:
    for seed in range(SCHEDULES):
        schedule = Schedule(seed, values=returning(seed))
        schedule.run()
        assert schedule.publisher.held == schedule.desired(), seed


@pytest.mark.slow
def test_throttling_lost_replies_and_hands_at_the_console_do_not_change_the_end() -> None:
    faults = Faults(throttled=0.2, unreachable=0.1, lost_reply=0.2)
    for seed in range(SCHEDULES // 2):
        schedule = Schedule(seed, values=growing(), faults=faults, meddling=True)
        schedule.run()
        list(schedule.world.outbox.reconcile(repair=True))
        never_set = {key for key in KEYS if schedule.world.host(key.name).desired is None}
        held = {key: rrset for key, rrset in schedule.publisher.held.items() if key not in never_set}
        assert held == schedule.desired(), seed


class CountingStore(WatchedStore):
    conflicts = 0

    def commit(self, commit: Commit) -> None:
        try:
            super().commit(commit)
        except Conflict:
            self.conflicts += 1
            raise


def test_a_schedule_really_freezes_publishers_between_swap_and_mark() -> None:
    """Were there no such moments in them, the schedules above would prove nothing."""
    store = CountingStore()
    for seed in range(100):
        Schedule(seed, values=growing(), store=store).run()
        store.rows.clear()
    assert store.conflicts > 50
