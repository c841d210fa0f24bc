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

from homing.core.errors import Conflict, Drifted, PublishError, Rejected, StoreError, Throttled, Unreachable
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
LOADED_AT_ONCE = 90
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
    """When a zone may be tried again, in seconds since 1970, how often it failed, and whether DNS asked to wait."""

    failures: int = 0
    since: float = 0.0
    until: float = 0.0
    is_asked: bool = False

    def holds(self, now: float) -> bool:
        """A clock that was set back ends it: it must not hold for as long as the clock jumped."""
        return self.since <= now < self.until


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

    def publish(self, hosts: Iterable[Host]) -> frozenset[RRsetKey]:
        """Publish hosts that were committed; return those that DNS rejected. What fails stays pending.

        A zone that DNS asked to leave alone for a while is left to `drain`. Never raises for what DNS or the store
        does: the commit has been made, and the rest can be made up for.
        """
        rejected: set[RRsetKey] = set()
        failing: set[Name] = set()
        for zone, batch in self._by_zone(hosts):
            if zone in failing or self._asked_to_wait(zone):
                continue
            try:
                self._swap(zone, batch, {host.key: host.published for host in batch}, rejected)
                self._note_success(zone)
            except PublishError as error:
                failing.add(zone)
                self._note_failure(zone, error)
            except StoreError as error:
                log.warning("zone %s: published, but not noted in the store: %s", zone, error)
        return frozenset(rejected)

    def drain(self, limit: int = 10_000) -> int:
        """Publish what is pending, except in zones that are backing off; return how many hosts were tried."""
        hosts = [host for host in self._store.find_pending(limit) if self._is_due(host)]
        self.publish(hosts)
        return len(hosts)

    def backlog_age(self) -> int:
        """Return for how many seconds the oldest pending host has waited; 0 if none does. Raises StoreError."""
        now = int(self._clock.now())
        since = [host.removed_at or host.last_updated or now for host in self._store.find_pending(1_000)]
        return max(0, now - min(since, default=now))

    def reconcile(self, *, repair: bool) -> Iterator[Difference]:
        """Compare every host with DNS and yield what differs, repaired if `repair`. Raises PublishError, StoreError.

        DNS is read first, and the row after it: a row that moved meanwhile has been published since.
        """
        scanned = (row for row in self._store.scan() if isinstance(row, Host) and _is_ours(row))
        for zone, batch in self._by_zone(scanned):
            held = self._publisher.read(zone, [host.key for host in batch])
            suspects = [host for host in batch if held[host.key] != host.desired or host.rejected]
            wrong = [row for row in self._reload(suspects) if held[row.key] != row.desired or row.rejected]
            for host in wrong:
                yield Difference(host.key, host.desired, held[host.key], host.rejected or "")
            if repair and wrong:
                self._repair(zone, wrong, {host.key: held[host.key] for host in wrong})

    def _repair(self, zone: Name, wrong: Sequence[Host], held: Mapping[RRsetKey, RRset | None]) -> None:
        """Swap to what the rows desire. A DNS that follows the store sees a row again when it is committed again."""
        if not self.follows_store:
            self._swap(zone, wrong, held, set())
            return
        for host in wrong:
            with suppress(Conflict):  # it moved, and so it is being followed
                try:
                    self._publisher.publish(zone, [RRsetChange(host.key, held[host.key], host.desired)])
                except Rejected as error:
                    if host.rejected is None:
                        self._quarantine(host, error)
                    continue
                except Drifted:
                    pass
                self._commit(host, host.next(published=host.desired, rejected=None))

    # --- one zone

    def _swap(
        self, zone: Name, hosts: Sequence[Host], held: Mapping[RRsetKey, RRset | None], rejected: set[RRsetKey]
    ) -> None:
        """Swap from what DNS holds to what the rows desire; go round again while either moves.

        What DNS rejects is added to `rejected` at once, so that it is known even if the rest fails.
        """
        for _ in range(ROUNDS):
            if not hosts:
                return
            changes = [RRsetChange(host.key, held[host.key], host.desired) for host in hosts]
            try:
                self._publisher.publish(zone, changes)
            except Drifted as drifted:
                # What DNS holds is known now; what the row desires may have moved since: read DNS, then the row.
                held = {**held, **drifted.held}
                hosts = self._reload(hosts)
                continue
            except Rejected as error:
                self._bisect(zone, hosts, held, rejected, error)
                return
            except Unreachable:
                self._doubt(hosts)
                raise
            moved = self._mark_published(hosts)
            held = {host.key: host.desired for host in moved}
            hosts = self._reload(moved)
        raise PublishError(f"zone {zone}: rows or DNS kept moving for {ROUNDS} rounds")

    def _bisect(
        self,
        zone: Name,
        hosts: Sequence[Host],
        held: Mapping[RRsetKey, RRset | None],
        rejected: set[RRsetKey],
        error: Rejected,
    ) -> None:
        """One bad change must not hold up the others: halve the batch until it stands alone."""
        if len(hosts) == 1:
            if self._quarantine(hosts[0], error):
                rejected.add(hosts[0].key)
            return
        middle = len(hosts) // 2
        try:
            self._swap(zone, hosts[:middle], held, rejected)
        finally:  # what holds up one half says nothing of the other
            self._swap(zone, hosts[middle:], held, rejected)

    def _quarantine(self, host: Host, error: Rejected) -> bool:
        log.error("%s %s: DNS rejects %s: %s", host.hostname, host.record_type, host.desired, error)
        try:
            self._commit(host, host.next(rejected=str(error) or "rejected"))
        except Conflict:
            return False  # it has a newer address already, which the next drain publishes
        return True

    def _mark_published(self, hosts: Sequence[Host]) -> list[Host]:
        """Write down what DNS shows now; return the hosts whose rows have moved meanwhile.

        A row that says so already is not written, but it is looked at again: a late swap may have undone a newer one.
        """
        moved = []
        marked = [host for host in hosts if host.published == host.desired and host.rejected is None]
        if not self.follows_store:  # one that follows the store has no late swaps
            versions = {row.key: row.version for row in self._reload(marked)}
            moved += [host for host in marked if versions.get(host.key) != host.version]
        for host in hosts:
            if host in marked:
                continue
            try:
                self._commit(host, host.next(published=host.desired, rejected=None))
            except Conflict:
                moved.append(host)
        return moved

    def _doubt(self, tried: Sequence[Host]) -> None:
        """No answer came, and the swap may still land. Whose row has settled on another address is pending again."""
        if self.follows_store:
            return
        desired = {host.key: host.desired for host in tried}
        for row in self._reload(tried):
            if not row.pending and row.desired != desired[row.key]:
                with suppress(StoreError):
                    self._commit(row, row.next(published=desired[row.key]))

    def _commit(self, before: Host, after: Host) -> None:
        self._store.commit(Commit((after,), {before.key: before.version}))

    def _reload(self, hosts: Sequence[Host]) -> list[Host]:
        """Return the hosts as they are now."""
        found: list[Host] = []
        for start in range(0, len(hosts), LOADED_AT_ONCE):
            keys = [host.key for host in hosts[start : start + LOADED_AT_ONCE]]
            rows = self._store.load(keys)
            found += [row for key in keys if isinstance(row := rows.get(key), Host)]
        return found

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

    def _is_due(self, host: Host) -> bool:
        zone = get_zone_of(host.hostname, self._zones)
        backoff = self._backoff.get(zone) if zone else None
        return zone is not None and (backoff is None or not backoff.holds(self._clock.now()))

    def _asked_to_wait(self, zone: Name) -> bool:
        """Only what DNS itself asked for holds up a commit's own publishing: a client waits for that."""
        backoff = self._backoff.get(zone)
        return backoff is not None and backoff.is_asked and backoff.holds(self._clock.now())

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
            backoff.is_asked = isinstance(error, Throttled)
            backoff.since = self._clock.now()
            backoff.until = backoff.since + wait
        log.warning("zone %s: not published, trying again in %.1f s: %s", zone, wait, error)


def _is_ours(host: Host) -> bool:
    """Of a host that was never set, and of one that is gone, nothing is promised: others may hold its name in DNS."""
    return bool(host.desired or host.published or (host.last_updated and not host.is_removed))
