"""What the tests of the use cases are built from: a world in memory, and requests as the protocols would make them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from homing.app.administration import Administration
from homing.app.authentication import Authenticator
from homing.app.publishing import Outbox
from homing.app.service import Service
from homing.core import credentials
from homing.core.accounts import Account, TokenKey
from homing.core.addresses import record_type_of
from homing.core.credentials import LegacyHash, Password, SignedRequest, Token
from homing.core.hosts import Host, RecordType
from homing.core.names import Name
from homing.core.records import RRset
from homing.core.rows import Commit, Row, RowKey, host_key, key_of
from homing.core.update import HostUpdate, Policy, SetAddress, UpdateRequest, Wish
from homing.core.values import replace
from homing.publishers.embedded import EmbeddedPublisher
from tests.conformance.memory_store import MemoryStore
from tests.conformance.publisher_contract import ZONE
from tests.conformance.test_publishers import make_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from homing.app.ports import Publisher
    from homing.core.limits import Rate
    from tests.app.flaky_publisher import FlakyPublisher

OTHER_ZONE = Name("other.example.")
CAM, TV, NAS = (Name(f"{label}.{ZONE}") for label in ("cam", "tv", "nas"))
SECRET = "CamSecret_0123456789abcdefghijkl"
OTHER_SECRET = "TvSecret_0123456789abcdefghijklm"
TOKEN_KEY = "TokenKey_0123456789abcdefghijklm"
ZONE_IDS = {"Z1": ZONE, "Z2": OTHER_ZONE}
SOURCE = ip_address("8.8.8.8")
START = 1_800_000_000.0
ONE = RRset(60, ("1.1.1.1",))


class ManualClock:
    """A clock that a test moves."""

    def __init__(self, now: float = START) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


class CountingEntropy:
    """Bytes that look random, and are the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def bytes(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(b"%d" % self._count).digest(count)


class WatchedStore(MemoryStore):
    """A store whose calls a test can watch, hinder, or let something happen before."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0
        self.before_load: Callable[[], None] = lambda: None
        self.before_commit: Callable[[Commit], None] = lambda _: None
        self.after_commit: Callable[[Commit], None] = lambda _: None

    def load(self, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        self.loads += 1
        self.before_load()
        return super().load(keys)

    def commit(self, commit: Commit) -> None:
        self.before_commit(commit)
        super().commit(commit)
        self.after_commit(commit)


@dataclass
class World:
    """Homing, with a store in memory."""

    store: WatchedStore
    publisher: Publisher
    clock: ManualClock
    outbox: Outbox
    authenticator: Authenticator
    service: Service
    administration: Administration

    def put(self, *rows: Row) -> None:
        """Write rows as they are, one version on."""
        for row in rows:
            self.store.commit(Commit((replace(row, version=row.version + 1),), {key_of(row): row.version}))

    def promise(self, desired: RRset | None, hostname: Name = CAM) -> None:
        """Commit an update of the owner, and leave it to others to publish it."""
        host = self.host(hostname)
        self.store.commit(Commit((host.next(desired=desired),), {key_of(host): host.version}))

    def host(self, hostname: Name = CAM, record_type: RecordType = "A") -> Host:
        key = host_key(hostname, record_type)
        row = self.store.load([key])[key]
        assert isinstance(row, Host)
        return row

    def get(self, key: RowKey) -> Row | None:
        return self.store.load([key]).get(key)

    def shown(self, hostname: Name = CAM, record_type: RecordType = "A") -> str | None:
        """The address that DNS shows."""
        key = make_host(hostname, record_type).key
        held = self.publisher.read(ZONE, [key])[key]
        return held.rdata[0] if held else None


def make_world(
    *rows: Row,
    publisher: Publisher | None = None,
    store: WatchedStore | None = None,
    clock: ManualClock | None = None,
    change_rate: Rate | None = None,
    token_key: str | None = None,
    policy: Policy | None = None,
    has_slow_passwords: bool = False,
    jitter: Callable[[], float] = lambda: 1.0,
) -> World:
    """Put the application together as `homing.wiring` does, around a store that holds `rows`."""
    store, clock, entropy = store or WatchedStore(), clock or ManualClock(), CountingEntropy()
    zones, policy = {ZONE: make_zone(), OTHER_ZONE: make_zone(OTHER_ZONE)}, policy or Policy()
    publisher = publisher or EmbeddedPublisher(zones)
    outbox = Outbox(store, publisher, frozenset(zones), clock, jitter)
    authenticator = Authenticator(clock, entropy, ZONE_IDS, token_key, lambda: has_slow_passwords)
    service = Service(
        store=store, outbox=outbox, authenticator=authenticator, clock=clock, entropy=entropy,
        zones=frozenset(zones), policy=policy, change_rate=change_rate,
    )  # fmt: skip
    administration = Administration(
        store=store, outbox=outbox, clock=clock, entropy=entropy, zones=frozenset(zones), policy=policy,
        why_not=lambda key: next((zone.why_not_dynamic(key) for name, zone in zones.items() if key.name.endswith(name)),
                                 "no zone"),
    )  # fmt: skip
    world = World(store, publisher, clock, outbox, authenticator, service, administration)
    world.put(*rows)
    return world


def make_host(hostname: Name = CAM, record_type: RecordType = "A", **attributes: Any) -> Host:
    """A host that no store holds yet."""
    return Host(hostname=hostname, record_type=record_type, **({"shared_secret": SECRET} | attributes))


def pending(hostname: Name = CAM, desired: RRset | None = ONE, **attributes: Any) -> Host:
    """A host whose address was promised, and is not shown yet."""
    return make_host(hostname, desired=desired, **attributes)


def agree(world: World, publisher: FlakyPublisher) -> bool:
    """Tell whether DNS shows what the store desires and nothing else, and the store knows it."""
    hosts = [row for row in world.store.scan() if isinstance(row, Host)]
    shown = {host.key: host.desired for host in hosts if host.desired}
    return publisher.held == shown and not any(host.pending for host in hosts)


def fail_with(error: Exception, times: int = 10**9) -> Callable[..., None]:
    """Return a hook that raises so many times, and then lets things pass."""
    left = [times]

    def fail(*_: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise error

    return fail


def once(*works: Callable[[], object]) -> Callable[..., None]:
    """Return a hook that does the first work when it is first called, then the next, and then nothing more."""
    left = iter(works)

    def work(*_: Any) -> None:
        next(left, lambda: None)()

    return work


def make_account(username: str, password: str, *hostnames: Name) -> Account:
    """An account with a generated password."""
    return Account(username=username, password=credentials.hash_generated(password), hostnames=hostnames)


def make_token_key() -> TokenKey:
    return TokenKey(secret=TOKEN_KEY)


def wishes(*addresses: str) -> dict[RecordType, Wish]:
    """Wish these addresses, one for each family."""
    parsed = [ip_address(text) for text in addresses]
    return {record_type_of(address): SetAddress(address) for address in parsed}


def ask(*names: Name, to: Sequence[str]) -> tuple[HostUpdate, ...]:
    """Ask the same addresses for each name."""
    return tuple(HostUpdate(name, name, wishes(*to)) for name in names)


def basic(
    secret: str, *names: Name, to: Sequence[str] = (), username: str = CAM, source: str = "8.8.8.8", **more: Any
) -> UpdateRequest:
    """HTTP Basic, as dyndns2 brings it; the user name is a host or an account."""
    identity = Name(username) if username.endswith(".") else None
    return UpdateRequest(
        Password(username, secret), ask(*names, to=to) or (HostUpdate(None, "", wishes(*to)),),
        ip_address(source), identity, **more,
    )  # fmt: skip


def legacy(secret: str, name: Name = CAM, source: str = "8.8.8.8", *, text: str | None = None) -> UpdateRequest:
    """The awslabs hash: the source address is meant."""
    address, text = ip_address(source), text if text is not None else name
    proof = LegacyHash(credentials.legacy_hash(source, text, secret), address, text)
    return UpdateRequest(proof, ask(name, to=[source]), address, name)


def signed(
    secret: str, *names: Name, to: Sequence[str], at: float, identity: Name = CAM, updates: Any = None
) -> UpdateRequest:
    """A signed request of the time `at`, in seconds since 1970."""
    milliseconds, body = int(at * 1000), repr((names, to)).encode()
    proof = SignedRequest(milliseconds, credentials.sign(secret, milliseconds, body), body)
    return UpdateRequest(proof, updates or ask(*(names or (CAM,)), to=to), SOURCE, identity)


def token(name: Name = CAM, to: Sequence[str] = ("8.8.8.8",), zone_id: str = "Z1", key: str = TOKEN_KEY,
          ttl: int | None = None) -> UpdateRequest:  # fmt: skip
    """A ddupdate request."""
    text = name.rstrip(".")
    proof = Token(credentials.ddupdate_token(text, zone_id, key), text, zone_id)
    return UpdateRequest(proof, (HostUpdate(name, text, wishes(*to)),), SOURCE, name, ttl=ttl, creates=True)


def list_request(secret: str, name: Name = CAM, source: str = "8.8.8.8") -> UpdateRequest:
    """`list_hosts` of awslabs."""
    return replace(legacy(secret, name, source), updates=())
