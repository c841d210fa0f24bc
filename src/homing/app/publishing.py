"""The outbox: makes DNS show what was committed, until store and DNS agree.

The store itself is the outbox: a host is pending while `desired` and `published` differ, across restarts. Publishing
is a compare-and-swap against what DNS holds, and `published` is written only under the version that was published; so
any number of publishers may run, be late, or die at any step.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from homing.app.marks import ROUNDS, Marks
from homing.app.notices import Notices
from homing.app.patience import Patience
from homing.core.errors import Conflict, Drifted, PublishError, Rejected, StoreError, Unreachable
from homing.core.hosts import Host
from homing.core.names import get_zone_of
from homing.core.records import RRset, RRsetChange, RRsetKey
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from homing.app.marks import Held
    from homing.app.ports import Clock, Notifier, Publisher, Store
    from homing.core.names import Name

MAX_BATCH = 10_000
"""Hosts of one zone that are taken up together; a publisher is given as many of them at once as it can take."""

log = logging.getLogger("homing.publishing")


@frozen
class Difference:
    """A host that DNS does not show as the store desires."""

    key: RRsetKey
    desired: RRset | None
    held: RRset | None
    note: str = ""


class Progress:
    """What became of hosts that were to be published; whoever is in neither set is still pending."""

    def __init__(self) -> None:
        self.settled: set[RRsetKey] = set()
        """DNS shows what their rows desire."""
        self.rejected: set[RRsetKey] = set()
        """DNS will never take it."""


class Outbox:
    """Publishes hosts, now and again. Safe for use by several threads."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        zones: Container[Name],
        clock: Clock,
        jitter: Callable[[], float],
        notifier: Notifier | None = None,
    ) -> None:
        """Make one; `jitter` returns a number from 0 to 1 at random, and `notifier` is told what came of it."""
        self._store = store
        self._publisher = publisher
        self._zones = zones
        self._clock = clock
        self._patience = Patience(clock, jitter)
        self._notices = Notices(notifier)
        self._marks = Marks(store, follows_store=publisher.follows_store)

    @property
    def follows_store(self) -> bool:
        """Whether DNS is a view of the store, so that what is committed is as good as published."""
        return self._publisher.follows_store

    def publish(self, hosts: Iterable[Host]) -> Progress:
        """Publish hosts that were committed, and tell how far that went. What fails stays pending.

        A zone that DNS asked to leave alone for a while is left to `drain`. A host that was never set is left out: a
        record of its name in a DNS of somebody else's is not ours to take away. Never raises for what DNS or the store
        does: the commit has been made, and the rest can be made up for.
        """
        progress = Progress()
        failing: set[Name] = set()
        for zone, batch in self._by_zone(hosts if self.follows_store else filter(_is_ours, hosts)):
            if zone in failing or self._patience.asked_to_wait(zone):
                continue
            try:
                self._swap(zone, batch, {host.key: host.published for host in batch}, progress)
                self._note_success(zone)
            except PublishError as error:
                failing.add(zone)
                self._note_failure(zone, error)
            except StoreError as error:
                log.warning("zone %s: published, but not noted in the store: %s", zone, error)
        return progress

    def drain(self, limit: int = 10_000) -> int:
        """Publish what is pending, except in zones that are backing off; return how many hosts were tried.

        What finds pending hosts may lag, and their rows are read again: an old one would be put into DNS for a moment.
        """
        found = self._store.find_pending(limit, self._is_due)
        hosts = [host for host in self._marks.reload(found) if host.pending]
        self.publish(hosts)
        return len(hosts)

    def backlog_age(self) -> int:
        """Return for how many seconds the oldest pending host has waited; 0 if none does. Raises StoreError."""
        now = int(self._clock.now())
        served = self._store.find_pending(1_000, lambda host: get_zone_of(host.hostname, self._zones) is not None)
        since = [host.removed_at or host.last_updated or now for host in served]
        return max(0, now - min(since, default=now))

    def reconcile(self, *, repair: bool) -> Iterator[Difference]:
        """Compare every host with DNS and yield what differs, repaired if `repair`.

        Raises StoreError; and PublishError for the first zone that failed, after all others.
        """
        scanned = (row for row in self._store.scan() if isinstance(row, Host) and _is_ours(row))
        failed: PublishError | None = None
        for zone, batch in self._by_zone(scanned):
            try:
                yield from self._reconcile(zone, batch, repair=repair)
            except PublishError as error:
                self._note_failure(zone, error)
                failed = failed or error
        if failed is not None:
            raise failed

    def _reconcile(self, zone: Name, batch: Sequence[Host], *, repair: bool) -> Iterator[Difference]:
        """DNS is read first, and the row after it: a row that moved meanwhile has been published since."""
        held = self._publisher.read(zone, [host.key for host in batch])
        suspects = [host for host in batch if held[host.key] != host.desired or host.rejected]
        wrong = [row for row in self._marks.reload(suspects) if held[row.key] != row.desired or row.rejected]
        for host in wrong:
            yield Difference(host.key, host.desired, held[host.key], host.rejected or "")
        if repair and wrong:
            self._repair(zone, wrong, held)

    def _repair(self, zone: Name, wrong: Sequence[Host], held: Held) -> None:
        """Swap to what the rows desire. A DNS that follows the store sees a row again when it is committed again."""
        if not self.follows_store:
            self._swap(zone, wrong, held, Progress())
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
                self._marks.commit(host, host.next(published=host.desired, rejected=None))

    # --- one zone

    def _swap(self, zone: Name, hosts: Sequence[Host], held: Held, progress: Progress) -> None:
        """Swap from what DNS holds to what the rows desire, in as few calls as the publisher can do it."""
        changes = _changes(hosts, held)
        start = 0
        while start < len(hosts):
            end = start + max(1, self._publisher.count_fitting(changes[start:]))
            self._swap_at_once(zone, hosts[start:end], held, progress)
            start = end

    def _swap_at_once(self, zone: Name, hosts: Sequence[Host], held: Held, progress: Progress) -> None:
        """Go round again while DNS or the rows move. Progress is noted at once: it is known even if the rest fails."""
        ours: Held = {}  # what we put into DNS for rows that have moved
        for _ in range(ROUNDS):
            if not hosts:
                return
            try:
                self._publisher.publish(zone, _changes(hosts, held))
            except Drifted as drifted:
                # What DNS holds is known now; what the row desires may have moved since: read DNS, then the row.
                held = {**held, **drifted.held}
                ours = {key: rrset for key, rrset in ours.items() if key not in drifted.held}
                hosts = self._marks.reload(hosts)
                continue
            except Rejected as error:
                self._bisect(zone, hosts, held, progress, error)
                return
            except PublishError as error:
                self._marks.doubt(hosts, ours, may_land=isinstance(error, Unreachable))
                raise
            self._notices.changed(hosts, held)
            moved = self._marks.mark_published(hosts)
            progress.settled |= {host.key for host in hosts} - {host.key for host in moved}
            held = ours = {host.key: host.desired for host in moved}
            hosts = self._marks.reload(moved)
        self._marks.doubt(hosts, ours, may_land=False)
        raise PublishError(f"zone {zone}: rows or DNS kept moving for {ROUNDS} rounds")

    def _bisect(self, zone: Name, hosts: Sequence[Host], held: Held, progress: Progress, error: Rejected) -> None:
        """One bad change must not hold up the others: halve the batch until it stands alone."""
        if len(hosts) == 1:
            if self._quarantine(hosts[0], error):
                progress.rejected.add(hosts[0].key)
            return
        middle = len(hosts) // 2
        try:
            self._swap_at_once(zone, hosts[:middle], held, progress)
        finally:  # what holds up one half says nothing of the other
            self._swap_at_once(zone, hosts[middle:], held, progress)

    def _quarantine(self, host: Host, error: Rejected) -> bool:
        log.error("%s %s: DNS rejects %s: %s", host.hostname, host.record_type, host.desired, error)
        try:
            self._marks.commit(host, host.next(rejected=str(error) or "rejected"))
        except Conflict:
            return False  # it has a newer address already, which the next drain publishes
        self._notices.rejected(host, error)
        return True

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
        return zone is not None and self._patience.is_due(zone)

    def _note_success(self, zone: Name) -> None:
        if self._patience.note_success(zone):
            log.info("zone %s: publishing works again", zone)
            self._notices.recovered(zone)

    def _note_failure(self, zone: Name, error: PublishError) -> None:
        wait = self._patience.note_failure(zone, error)
        log.warning("zone %s: left pending, for %.1f s at least: %s", zone, wait, error)
        if self._patience.is_first_failure(zone):
            self._notices.failing(zone, error)


def _changes(hosts: Sequence[Host], held: Held) -> list[RRsetChange]:
    return [RRsetChange(host.key, held[host.key], host.desired) for host in hosts]


def _is_ours(host: Host) -> bool:
    """Of a host that was never set, and of one that is gone, nothing is promised: others may hold its name in DNS."""
    return bool(host.desired or host.published or (host.last_updated and not host.is_removed))
