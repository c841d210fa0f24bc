"""Homing on one machine: SQLite and the embedded DNS server. Adapters are imported when they are chosen."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from homing.app.administration import Administration
from homing.app.authentication import Authenticator
from homing.app.importing import Importer
from homing.app.publishing import Outbox
from homing.app.service import Service
from homing.core.accounts import Account
from homing.core.credentials import is_slow
from homing.core.errors import InvalidInput, InvalidSettings, Refused
from homing.core.hosts import Host
from homing.core.limits import Rate
from homing.core.names import get_zone_of
from homing.core.records import RRset, RRsetKey
from homing.core.update import Policy
from homing.core.zone import SOA, Zone
from homing.settings.one_machine import Settings, default_database
from homing.settings.zones import ZoneSettings, zone_settings
from homing.web.routes import Access, Application
from homing.wiring.desk import Desk
from homing.wiring.system import SystemClock, SystemEntropy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homing.core.names import Name
    from homing.publishers.embedded import EmbeddedPublisher
    from homing.stores.sqlite import SqliteStore


class SlowAccounts:
    """Tells whether an account was imported with a password that a person chose; looks once a minute at most."""

    def __init__(self, store: SqliteStore, clock: SystemClock) -> None:
        self._store = store
        self._clock = clock
        self._looked_at = 0.0
        self._found = False

    def __call__(self) -> bool:
        """Accounts come first in the order of keys, so that this reads no host."""
        if abs(self._clock.now() - self._looked_at) >= 60:
            self._looked_at = self._clock.now()
            others = takewhile(lambda row: not isinstance(row, Host), self._store.scan())
            self._found = any(isinstance(row, Account) and is_slow(row.password) for row in others)
        return self._found


@dataclass(frozen=True)
class OneMachine:
    """Homing on one machine, ready to be served: an application, and the zones that the DNS server answers from."""

    settings: Settings
    store: SqliteStore
    publisher: EmbeddedPublisher
    outbox: Outbox
    application: Application
    administration: Administration
    zones: tuple[ZoneSettings, ...]


def open_server(settings: Settings) -> OneMachine:
    """Open the store, load the zones and put the application together.

    Raises InvalidSettings, StoreDamaged or StoreUnavailable, with nothing left open.
    """
    from homing.publishers.embedded import EmbeddedPublisher

    clock, entropy = SystemClock(), SystemEntropy()
    store, zones = _open_store(settings, clock, is_server=True)
    try:
        served = {zone.name: _make_zone(zone, store) for zone in zones}
        publisher = EmbeddedPublisher(served, store)
        publisher.follow()
    except BaseException:
        store.close()
        raise
    outbox = Outbox(store, publisher, frozenset(served), clock, random.random)
    policy = policy_of(settings)
    service = Service(
        store=store,
        outbox=outbox,
        authenticator=Authenticator(
            clock, entropy, {zone.id: zone.name for zone in zones}, settings.token_key, SlowAccounts(store, clock)
        ),
        clock=clock,
        entropy=entropy,
        zones=frozenset(served),
        policy=policy,
        change_rate=_change_rate(settings),
    )

    def health() -> int:
        store.check()
        return outbox.backlog_age()

    access = Access(settings.trusted_proxies, settings.api_key, "all" if settings.api_key_paths == "all" else "awslabs")
    administration = Administration(
        store=store,
        outbox=outbox,
        clock=clock,
        entropy=entropy,
        zones=frozenset(served),
        policy=policy,
        why_not=_why_not(served),
    )
    application = Application(service, health, access)
    return OneMachine(settings, store, publisher, outbox, application, administration, zones)


def open_desk(settings: Settings, *, may_create: bool = True) -> Desk:
    """Open the store for an operator's command, beside a server that may be running.

    Raises Refused if there is none, and it may not be made or has no zone to be made for.
    """
    from homing.publishers.running_server import RunningServer

    clock = SystemClock()
    store, zones = _open_store(settings, clock, may_create=may_create and bool(settings.zones))
    try:
        served = {zone.name: make_zone(zone, serial=1) for zone in zones}
    except BaseException:
        store.close()
        raise
    names = frozenset(served)
    administration = Administration(
        store=store,
        outbox=None,
        clock=clock,
        entropy=SystemEntropy(),
        zones=names,
        policy=policy_of(settings),
        why_not=_why_not(served),
    )
    importer = Importer(store, None, names, _why_not(served))
    outbox = Outbox(store, RunningServer(settings.dns_listen), names, clock, random.random)
    return Desk(store, administration, importer, outbox, zones, settings.token_key, store.backup)


def policy_of(settings: Settings) -> Policy:
    """Return what the settings say about every host."""
    return Policy(
        default_ttl=settings.default_ttl,
        min_ttl=settings.min_ttl,
        max_ttl=settings.max_ttl,
        public_networks=settings.public_networks,
        note_interval=settings.note_interval,
    )


def make_zone(zone: ZoneSettings, serial: int) -> Zone:
    """Build a zone out of its settings, with no hosts in it yet. Raises InvalidSettings."""
    try:
        return Zone(zone.name, _soa(zone), _static_rrsets(zone), serial)
    except InvalidInput as error:
        raise InvalidSettings([f"zone {zone.name}: {line}" for line in str(error).splitlines()]) from None


def _open_store(
    settings: Settings, clock: SystemClock, *, may_create: bool = True, is_server: bool = False
) -> tuple[SqliteStore, tuple[ZoneSettings, ...]]:
    """Open the store. Without zones in the settings, those that it already serves are meant.

    Only a server says which zones are served: a command beside it may have read other settings.
    """
    from homing.stores.sqlite import SqliteStore

    path = settings.database or default_database()
    if not may_create and not path.exists():
        raise Refused(f"there is no store at {path} yet: `homing serve --zone home.example` makes it")
    store = SqliteStore(path, zones=[zone.name for zone in settings.zones] if is_server else (), clock=clock)
    zones = settings.zones or tuple(zone_settings(name) for name in store.zones())
    if not zones:
        store.close()
        raise Refused("no zone is named yet: `homing serve --zone home.example`, or [[zones]] in homing.toml")
    return store, zones


def _make_zone(zone: ZoneSettings, store: SqliteStore) -> Zone:
    """Build a zone at the serial that the store is at, which moves first if the settings say something new."""
    store.touch_zone(zone.name, hashlib.sha256(repr(zone).encode()).hexdigest())
    return make_zone(zone, store.zones()[zone.name])


def _soa(zone: ZoneSettings) -> SOA:
    return SOA(
        mname=zone.ns[0],
        rname=zone.admin,
        refresh=zone.refresh,
        retry=zone.retry,
        expire=zone.expire,
        minimum=zone.minimum,
        ttl=zone.ttl,
    )


def _static_rrsets(zone: ZoneSettings) -> dict[RRsetKey, RRset]:
    """Return the records of the settings. dnspython is only imported where there are any to parse."""
    apex_ns = {RRsetKey(zone.name, "NS"): RRset(zone.ttl, tuple(sorted(zone.ns)))}
    if not zone.records:
        return apex_ns
    from homing.protocols.zone_file import parse_records

    return apex_ns | parse_records(zone.records, zone.name, zone.ttl)


def _why_not(zones: Mapping[Name, Zone]) -> Callable[[RRsetKey], str | None]:
    def why_not(key: RRsetKey) -> str | None:
        apex = get_zone_of(key.name, zones)
        return f"{key.name} is in no zone that is served" if apex is None else zones[apex].why_not_dynamic(key)

    return why_not


def _change_rate(settings: Settings) -> Rate | None:
    per_minute = settings.changes_per_minute
    return Rate(burst=max(10.0, per_minute), per_second=per_minute / 60) if per_minute else None
