"""One run of the serverless system under a seed: functions over one store and the strict Route 53, frozen and killed.

The real Service, Outbox and Route53Publisher; the store is in memory, Route 53 is the fake in this process, and time
is the scheduler's. `judge` (serverless_checks.py) looks at what is left: the store's history and the fake's journal.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from local_aws.route53 import Faults, Limits, Rate, Route53Fake, Unanswered

from homing.app.authentication import Authenticator
from homing.app.patience import BACKOFF_CAP
from homing.app.publishing import Outbox, Progress
from homing.app.service import Service
from homing.aws.errors import NoAnswer
from homing.aws.route53 import Route53
from homing.aws.transport import Reply
from homing.core.hosts import Host
from homing.core.names import Name
from homing.core.records import RRsetKey
from homing.core.rows import Commit, key_of
from homing.core.update import Policy
from homing.publishers.pacing import Pace
from homing.publishers.route53 import PUBLISHER_SECONDS, Route53Publisher
from tests.app.builders import SECRET, CountingEntropy, basic, make_host
from tests.app.scheduler import Process, Scheduler
from tests.app.serverless_record import KEYS, RATE, Acknowledged, Record, Shown, Version
from tests.conformance.memory_store import MemoryStore
from tests.conformance.publisher_contract import ZONE
from tests.publishers.route53_world import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from homing.core.outcomes import Outcome
    from homing.core.rows import Row, RowKey

ZONE_ID = "Z0HOME"
ZONES = frozenset({ZONE})
ENTROPY = CountingEntropy()
UPDATE_SECONDS = 4.0
"""So long does an update, whose client is waiting, try to publish."""


@dataclass(frozen=True)
class Plot:
    """What a run is made of."""

    functions: int = 2
    """Update functions, each of which serves one request after the other."""
    publishes_itself: bool = True
    """Whether they publish themselves (direct), or leave it to the stream."""
    publishers: int = 0
    """Of the stream, each with its own shard."""
    drains: int = 1
    updates: int = 5
    returning: bool = False
    """Whether addresses come again (A-B-A), or are all different."""


class SteppedStore(MemoryStore):
    """The store of all processes: every call of one is two steps of it, and every commit is remembered."""

    def __init__(self, scheduler: Scheduler, record: Record) -> None:
        super().__init__()
        self.seq = 0
        self._scheduler = scheduler
        self._record = record
        self._stream: Callable[[Host], None] = lambda _: None

    def tell(self, stream: Callable[[Host], None]) -> None:
        """Tell of every row that is pending after a commit, as the table's stream does."""
        self._stream = stream

    def load(self, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        self._scheduler.step(0.01)
        rows = super().load(keys)
        self._scheduler.step(0.01)
        return rows

    def commit(self, commit: Commit) -> None:
        self._scheduler.step(0.01)
        super().commit(commit)
        self.seq += 1
        for host in commit.puts:
            assert isinstance(host, Host)
            self._record.versions[host.key].append(Version(self.seq, host))
            if host.pending:
                self._stream(host)
        self._scheduler.step(0.01)

    def submit(self, commit: Commit) -> Future[None]:
        return super().submit(commit)  # by way of `commit`

    def find_pending(self, limit: int, is_wanted: Callable[[Host], bool] = lambda _: True) -> Sequence[Host]:
        self._scheduler.step(0.01)
        return super().find_pending(limit, is_wanted)


class Wire:
    """The Transport of one process to the fake. What it sends takes a while to arrive, and so does the answer."""

    host = "route53.amazonaws.com"

    def __init__(self, run: Run, name: str) -> None:
        self._run = run
        self._sent_at = run.record.sent_at.setdefault(name, [])

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        run = self._run
        self._sent_at.append(run.scheduler.time)
        run.scheduler.step(0.1)
        try:
            reply = run.fake.handle(method, target, headers, body)
        except Unanswered:
            run.note_shown()
            run.scheduler.step(0.0)
            run.scheduler.sleep(timeout)
            raise NoAnswer("timed out", may_have_arrived=True) from None
        run.note_shown()
        run.scheduler.step(0.1)
        return Reply(reply.status, reply.headers, reply.body)

    def close(self) -> None:
        pass


class Lives:
    """One function or publisher: its memory is that of one life, and begins anew when it was killed."""

    def __init__(self, run: Run, name: str, budget_seconds: float, *, publishes: bool = True) -> None:
        clock, chance = run.scheduler, run.scheduler.chance
        client = Route53(Wire(run, name), lambda: CREDENTIALS, clock)
        pace = Pace(RATE, 0, clock, sleep=clock.sleep)
        publisher = Route53Publisher(
            client, {ZONE: ZONE_ID}, pace, clock, budget_seconds=budget_seconds, attempt_seconds=3.0,
            sleep=clock.sleep, jitter=lambda upper: upper * chance.random(),
        )  # fmt: skip
        made = Outbox if publishes else _LeftToTheStream
        self.outbox = made(run.store, publisher, ZONES, clock, chance.random)
        self.service = Service(
            store=run.store, outbox=self.outbox, authenticator=Authenticator(clock, ENTROPY, {}, None, lambda: False),
            clock=clock, entropy=ENTROPY, zones=ZONES, policy=Policy(),
        )  # fmt: skip


class _LeftToTheStream(Outbox):
    def publish(self, hosts: Iterable[Host]) -> Progress:
        return Progress()


class Run:
    """One run. `serve` may be replaced by something that a control does worse."""

    def __init__(self, seed: int, plot: Plot) -> None:
        self.plot = plot
        self.scheduler = Scheduler(random.Random(seed), freezing=0.06, killing=0.015)
        self.record = Record()
        self.store = SteppedStore(self.scheduler, self.record)
        self.fake = Route53Fake(
            clock=self.scheduler.now, sleep=lambda _: None, limits=Limits(requests=Rate(RATE, 50)),
            faults=Faults(seed, throttle=0.3, prior_request=0.1, lost_answer=0.05), in_flight_seconds=0.1,
        )  # fmt: skip
        self.fake.add_zone(ZONE, zone_id=ZONE_ID)
        self._noted = len(self.fake.journal.entries)
        self._values = _returning(self.scheduler.chance) if plot.returning else _growing()
        self._left = plot.updates
        self._stream: dict[RRsetKey, deque[Host]] = {key: deque() for key in KEYS}
        for key in KEYS:
            host = make_host(key.name)
            self.store.commit(Commit((host.next(),), {key_of(host): 0}))
        if plot.publishers:
            self.store.tell(lambda host: self._stream[host.key].append(host))

    def play(self) -> Record:
        """Let it all happen, and then, without faults, let what is pending be drained."""
        for number in range(self.plot.functions):
            self._live(f"function {number}", UPDATE_SECONDS, self._serve_requests)
        for number in range(self.plot.publishers):
            shard = [key for place, key in enumerate(KEYS) if place % self.plot.publishers == number]
            self._live(f"publisher {number}", PUBLISHER_SECONDS, partial(self._follow, shard))
        for number in range(self.plot.drains):
            self._live(f"drain {number}", PUBLISHER_SECONDS, self._drain)
        self.scheduler.run()
        self._settle()
        return self.record

    def _live(self, name: str, budget: float, work: Callable[[Lives], None], delay: float = 0.0) -> None:
        """Let a process live, and again if it is killed."""
        publishes = self.plot.publishes_itself or not name.startswith("function")
        process = Process(name, lambda: work(Lives(self, name, budget, publishes=publishes)))

        def begin_anew() -> None:
            if process.killed:
                self._live(name, budget, work, delay=1.0)

        process.at_end = begin_anew
        self.scheduler.spawn(process, delay)

    # --- what the processes do

    def _serve_requests(self, lives: Lives) -> None:
        """One request after the other, until none is left."""
        while self._left > 0:
            self._left -= 1
            self.scheduler.sleep(self.scheduler.chance.choice((0.0, 0.3, 30.0)) * self.scheduler.chance.random())
            self.serve(lives, self.scheduler.chance.choice(KEYS), next(self._values))

    def serve(self, lives: Lives, key: RRsetKey, address: str) -> None:
        """Answer one request; whoever is killed on the way acknowledges nothing."""
        first_seq = self.store.seq
        answer = lives.service.update(basic(SECRET, key.name, to=[address]))
        self.acknowledge(key, address, answer.outcome, first_seq)

    def acknowledge(self, key: RRsetKey, address: str, outcome: Outcome, first_seq: int) -> None:
        """Note what the client is told."""
        self.record.acknowledged.append(Acknowledged(key, address, outcome, first_seq, self.store.seq))

    def _follow(self, shard: Sequence[RRsetKey], lives: Lives) -> None:
        """Take what the stream tells of in batches. What was not settled comes again, as when it was killed."""
        while self._left > 0 or any(self._stream[key] for key in shard):
            self.scheduler.sleep(0.5)
            taken = {key: len(self._stream[key]) for key in shard if self._stream[key]}
            settled = lives.outbox.publish([self._stream[key][number - 1] for key, number in taken.items()]).settled
            for key in settled:
                for _ in range(taken[key]):
                    self._stream[key].popleft()

    def _drain(self, lives: Lives) -> None:
        """Every few minutes in truth; more often here, so that it meets the others."""
        while self._left > 0:
            self.scheduler.sleep(20.0 * self.scheduler.chance.random())
            lives.outbox.drain()

    # --- what becomes of it

    def note_shown(self) -> None:
        """Note what the call that was just made changed."""
        entries = self.fake.journal.entries
        for entry in entries[self._noted :]:
            key = RRsetKey(Name(entry.key[0]), entry.key[1])
            self.record.shown[key].append(Shown(entry, self.store.seq, self.scheduler.current))
        self._noted = len(entries)

    def _settle(self) -> None:
        self.fake.faults = Faults()
        lives = Lives(self, "settling", PUBLISHER_SECONDS)
        for _ in range(3):
            self.scheduler.time += BACKOFF_CAP
            lives.outbox.drain()
        self.record.left_stale = {difference.key for difference in lives.outbox.reconcile(repair=True)}

    def held(self, key: RRsetKey) -> str | None:
        """What Route 53 shows in the end."""
        held = self.fake.get(ZONE_ID, key.name, key.type)
        return held.values[0] if held else None


def _growing() -> Iterator[str]:
    """Addresses that never come again."""
    for number in count(1):
        yield f"1.1.{number // 256}.{number % 256}"


def _returning(chance: random.Random) -> Iterator[str]:
    """A, B, A."""
    while True:
        yield f"1.1.1.{chance.randrange(3)}"
