"""The outbox: makes DNS show what was committed, until store and DNS agree.

The store itself is the outbox: a host is pending while `desired` and `published` differ, across restarts. Publishing
is a compare-and-swap against what DNS holds, and `published` is written only under the version that was published; so
any number of publishers may run, be late, or die at any step.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.errors import Conflict, Drifted, PublishError, Rejected, StoreError, Throttled
from homing.core.hosts import Host
from homing.core.names import get_zone_of
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.core.rows import Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from homing.app.ports import Clock, Publisher, Store
    from homing.core.names import Name

MAX_BATCH = 500
"""Changes in one call to a publisher."""
ROUNDS = 8
"""So often is a batch taken up again because DNS or its rows had moved, before it is left for later."""
BACKOFF_FIRST, BACKOFF_CAP = 1.0, 300.0
"""Seconds; full jitter between 0 and a bound that doubles from the first to the cap."""

log = logging.getLogger("homing.publishing")


@dataclass(frozen=True, slots=True)
class Difference:
    """A host that DNS does not show as the store desires."""

    key: RRsetKey
    desired: RRset | None
    held: RRset | None
    note: str = ""


@dataclass(slots=True)
class _Backoff:
    """When a zone may be tried again, in seconds since 1970, and how often it failed."""

    failures: int = 0
    until: float = 0.0


class Outbox:
    """Publishes hosts, now and again. Safe for use by several threads."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        zones: Container[Name],
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """Make one; `jitter` returns a number from 0 to 1 at random."""
        self._store = store
        self._publisher = publisher
        self._zones = zones
        self._clock = clock
        self._jitter = jitter
        self._backoff: dict[Name, _Backoff] = {}
        self._lock = threading.Lock()

    @property
    def follows_store(self) -> bool:
        """Whether DNS is a view of the store, so that what is committed is as good as published."""
        return self._publisher.follows_store

    def publish(self, hosts: Sequence[Host]) -> frozenset[RRsetKey]:
        """Publish hosts that were just committed; return those that DNS rejected. What fails stays pending.

        Never raises for what DNS or the store does: the commit has been made, and the rest can be made up for.
        """
        rejected: set[RRsetKey] = set()
        for zone, batch in self._by_zone(hosts):
            try:
                rejected |= self._publish_batch(zone, batch)
                self._note_success(zone)
            except PublishError as error:
                self._note_failure(zone, error)
            except StoreError as error:
                log.warning("zone %s: published, but not noted in the store: %s", zone, error)
        return frozenset(rejected)

    def drain(self, limit: int = 10_000) -> int:
        """Publish what is pending, except in zones that are backing off; return how many hosts were tried."""
        now = self._clock.now()
        hosts = [host for host in self._store.find_pending(limit) if self._is_due(host, now)]
        self.publish(hosts)
        return len(hosts)

    def backlog_age(self) -> int:
        """Return for how many seconds the oldest pending host has waited; 0 if none does. Raises StoreError."""
        since = [host.last_updated or 0 for host in self._store.find_pending(1_000)]
        return max(0, int(self._clock.now()) - min(since)) if since else 0

    def reconcile(self, *, repair: bool) -> Iterator[Difference]:
        """Compare every host with DNS and yield what differs, repaired if `repair`. Raises PublishError, StoreError."""
        hosts = (row for row in self._store.scan() if isinstance(row, Host))
        for zone, batch in self._by_zone(hosts):
            held = self._publisher.read(zone, [host.key for host in batch])
            wrong = [host for host in batch if held[host.key] != host.desired]
            for host in wrong:
                yield Difference(host.key, host.desired, held[host.key], host.rejected or "")
            if repair and wrong:
                self._repair(zone, wrong, {host.key: held[host.key] for host in wrong})

    def _repair(self, zone: Name, wrong: Sequence[Host], held: Mapping[RRsetKey, RRset | None]) -> None:
        """A DNS that follows the store sees a row again when it is committed again; any other is told."""
        if not self.follows_store:
            self._swap(zone, wrong, held)
            return
        for host in wrong:
            with suppress(Conflict):  # it moved, and so it is being followed
                self._commit(host, host.next(published=host.desired))

    # --- one zone

    def _publish_batch(self, zone: Name, hosts: Sequence[Host]) -> set[RRsetKey]:
        return self._swap(zone, hosts, {host.key: host.published for host in hosts})

    def _swap(self, zone: Name, hosts: Sequence[Host], held: Mapping[RRsetKey, RRset | None]) -> set[RRsetKey]:
        """Swap from what DNS holds to what the rows desire; go round again while either moves."""
        rejected: set[RRsetKey] = set()
        for _ in range(ROUNDS):
            if not hosts:
                return rejected
            changes = [RRsetChange(host.key, held[host.key], host.desired) for host in hosts]
            try:
                self._publisher.publish(zone, changes)
            except Drifted as drifted:
                # What DNS holds is known now; what the row desires may have moved since: read DNS, then the row.
                held = {**held, **drifted.held}
                hosts = self._reload(host.key for host in hosts)
                continue
            except Rejected as error:
                return rejected | self._bisect(zone, hosts, held, error)
            moved = self._mark_published(hosts)
            held = {host.key: host.desired for host in moved}
            hosts = self._reload(host.key for host in moved)
        raise PublishError(f"zone {zone}: rows or DNS kept moving for {ROUNDS} rounds")

    def _bisect(
        self, zone: Name, hosts: Sequence[Host], held: Mapping[RRsetKey, RRset | None], error: Rejected
    ) -> set[RRsetKey]:
        """One bad change must not hold up the others: halve the batch until it stands alone."""
        if len(hosts) == 1:
            return self._quarantine(hosts[0], error)
        middle = len(hosts) // 2
        return self._swap(zone, hosts[:middle], held) | self._swap(zone, hosts[middle:], held)

    def _quarantine(self, host: Host, error: Rejected) -> set[RRsetKey]:
        log.error("%s %s: DNS rejects %s: %s", host.hostname, host.record_type, host.desired, error)
        try:
            self._commit(host, host.next(rejected=str(error) or "rejected"))
        except Conflict:
            return set()  # it has a newer address already, which the next drain publishes
        return {host.key}

    def _mark_published(self, hosts: Sequence[Host]) -> list[Host]:
        """Write down what DNS shows now; return the hosts whose rows have moved meanwhile."""
        if self._publisher.follows_store:
            return []
        moved = []
        for host in hosts:
            if host.published == host.desired and host.rejected is None:
                continue
            try:
                self._commit(host, host.next(published=host.desired, rejected=None))
            except Conflict:
                moved.append(host)
        return moved

    def _commit(self, before: Host, after: Host) -> None:
        self._store.commit(Commit((after,), {before.key: before.version}))

    def _reload(self, keys: Iterable[RRsetKey]) -> list[Host]:
        wanted = list(keys)
        rows = self._store.load(wanted)
        return [row for key in wanted if isinstance(row := rows.get(key), Host)]

    # --- zones and their patience

    def _by_zone(self, hosts: Iterable[Host]) -> Iterator[tuple[Name, list[Host]]]:
        batches: dict[Name, list[Host]] = {}
        for host in hosts:
            zone = get_zone_of(host.hostname, self._zones)
            if zone is None:
                continue  # a zone that was taken out of the settings: `homing reconcile` shows its hosts as unserved
            batch = batches.setdefault(zone, [])
            batch.append(host)
            if len(batch) == MAX_BATCH:
                yield zone, batches.pop(zone)
        yield from batches.items()

    def _is_due(self, host: Host, now: float) -> bool:
        zone = get_zone_of(host.hostname, self._zones)
        return zone is not None and self._backoff.get(zone, _Backoff()).until <= now

    def _note_success(self, zone: Name) -> None:
        if zone in self._backoff:
            with self._lock:
                self._backoff.pop(zone, None)
            log.info("zone %s: publishing works again", zone)

    def _note_failure(self, zone: Name, error: PublishError) -> None:
        with self._lock:
            backoff = self._backoff.setdefault(zone, _Backoff())
            bound = min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** min(backoff.failures, 16))
            wait = max(bound * self._jitter(), error.retry_after if isinstance(error, Throttled) else 0.0)
            backoff.failures += 1
            backoff.until = self._clock.now() + wait
        log.warning("zone %s: not published, trying again in %.1f s: %s", zone, wait, error)
