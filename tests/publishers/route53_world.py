"""The publisher of Route 53 over the strict fake, in this process, with a clock that moves when somebody sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local_aws.route53 import Limits, RecordSet, Route53Fake, Unanswered

from homing.aws.errors import NoAnswer
from homing.aws.route53 import Route53
from homing.aws.sigv4 import Credentials
from homing.aws.transport import Reply
from homing.core.names import Name
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.publishers.pacing import Pace
from homing.publishers.route53 import Route53Publisher
from tests.conformance.publisher_contract import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

CREDENTIALS = Credentials("AKIDEXAMPLE", "secret")


class VirtualClock:
    """A clock that moves when somebody sleeps."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now
        self.naps: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds


class InProcess:
    """A Transport to the fake. A connection that ends without an answer does so after the caller's whole timeout."""

    host = "route53.amazonaws.com"

    def __init__(self, fake: Route53Fake, clock: VirtualClock) -> None:
        self.fake = fake
        self.clock = clock
        self.sent_at: list[float] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        self.sent_at.append(self.clock.time)
        self.before()
        try:
            reply = self.fake.handle(method, target, headers, body)
        except Unanswered:
            self.clock.time += timeout
            raise NoAnswer("timed out", may_have_arrived=True) from None
        self.after()
        return Reply(reply.status, reply.headers, reply.body)

    def close(self) -> None:
        pass


@dataclass
class World:
    """One publisher, one zone, and what lies behind them."""

    clock: VirtualClock
    fake: Route53Fake
    transport: InProcess
    publisher: Route53Publisher
    zone_id: str
    _counted: int = field(default=0)

    def calls(self) -> list[str]:
        """The calls since this was last asked, as `list` or as the result of a change."""
        new, self._counted = self.fake.journal.calls[self._counted :], len(self.fake.journal.calls)
        return ["list" if call.operation == "ListResourceRecordSets" else call.result for call in new]

    def seed(self, key: RRsetKey, rrset: RRset | None, **more: Any) -> None:
        """Somebody else changes Route 53."""
        if rrset is not None:
            self.fake.seed(self.zone_id, RecordSet(key.name, key.type, rrset.ttl, rrset.rdata, **more))
            return
        with self.fake.lock:
            self.fake._zones.find(self.zone_id).put((key.name, key.type, None), None)

    def held(self, key: RRsetKey) -> RecordSet | None:
        """What Route 53 holds, word for word."""
        return self.fake.get(self.zone_id, key.name, key.type)


def make_world(
    *, limits: Limits | None = None, pace: tuple[float, float] = (0, 0), jitter: float = 1.0, **options: Any
) -> World:
    """Put it together. `jitter` is the part of the longest wait that is waited."""
    clock = VirtualClock()
    fake = Route53Fake(clock=clock.now, sleep=clock.sleep, limits=limits or Limits.none())
    zone_id = fake.add_zone(ZONE)
    transport = InProcess(fake, clock)
    client = Route53(transport, lambda: CREDENTIALS, clock)
    publisher = Route53Publisher(
        client, {ZONE: zone_id}, Pace(*pace, clock, sleep=clock.sleep), clock,
        sleep=clock.sleep, jitter=lambda upper: upper * jitter, **options,
    )  # fmt: skip
    return World(clock, fake, transport, publisher, zone_id)


def key(label: str, type_: str = "A") -> RRsetKey:
    return RRsetKey(Name(f"{label}.{ZONE}"), type_)


def address(number: int, ttl: int = 60) -> RRset:
    return RRset(ttl, (f"192.0.2.{number}",))


def creations(keys: Sequence[RRsetKey], rrset: RRset) -> list[RRsetChange]:
    return [RRsetChange(one, None, rrset) for one in keys]
