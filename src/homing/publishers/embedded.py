"""The publisher of the DNS server in this process: it keeps zones in memory in step with the store.

With a feed the zones are a view of the store, and nothing but the store changes them; `publish` then only catches up
and compares. Without one it is the plain compare-and-swap of the contract, in memory: what other publishers are
measured against. No wire format and no sockets are here.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING

from homing.core.errors import Drifted, Rejected, StoreError, Unreachable
from homing.core.names import Name, get_zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from homing.app.ports import ChangeFeed, ZoneChanges
    from homing.core.records import RRset, RRsetChange, RRsetKey
    from homing.core.zone import Zone


def one_more(serial: int) -> int:
    """Return the serial after this one (RFC 1982 section 3.1), never 0."""
    return (serial + 1) % 2**32 or 1


class EmbeddedPublisher:
    """Implements Publisher over zones by their apex. Threads may call everything at once; DNS reads without a lock.

    `serial_after` gives the next serial of a zone for which the feed has none. One feed serves one publisher.
    """

    follows_store = True

    def __init__(
        self, zones: Mapping[Name, Zone], feed: ChangeFeed | None = None, serial_after: Callable[[int], int] = one_more
    ) -> None:
        self._zones = dict(zones)
        self._feed = feed
        self._serial_after = serial_after
        self._lock = threading.Lock()
        self._seq = 0
        self._skipped: dict[RRsetKey, str] = {}

    @property
    def skipped(self) -> Mapping[RRsetKey, str]:
        """What the store desires and these zones cannot show, with the reason: for whoever reconciles."""
        with self._lock:
            return MappingProxyType(dict(self._skipped))

    def get_zone_of(self, name: Name) -> Zone | None:
        """Return the deepest zone that the name is in."""
        apex = get_zone_of(name, self._zones)
        return None if apex is None else self._zones[apex]

    def follow(self) -> None:
        """Bring the zones to what the store holds now. Raises StoreError."""
        with self._lock:
            self._follow()

    def follow_if_moved(self) -> None:
        """Do the same, but only ask whether there is anything when there is not: for a timer. Raises StoreError."""
        with self._lock:
            self._follow_if_moved()

    def count_fitting(self, changes: Sequence[RRsetChange]) -> int:
        """Take all of them."""
        return len(changes)

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        """Apply all changes of one zone, or none. Raises Drifted, Rejected, or Unreachable if the store is."""
        target = self._zones.get(zone)
        if target is None:
            raise Rejected(f"{zone} is not served here")
        if objections := [text for change in changes if (text := target.why_not_dynamic(change.key))]:
            raise Rejected("; ".join(objections))
        if not _missing(target, changes):
            return  # one thread of a group commit follows for all of them
        with self._lock:
            if not _missing(target, changes):
                return
            try:
                self._follow_if_moved()
            except StoreError as error:
                raise Unreachable(str(error)) from error
            self._swap(target, _missing(target, changes))

    def read(self, zone: Name, keys: Collection[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        """Return what the zone answers for the keys."""
        target = self._zones.get(zone)
        return {key: target.get(key) if target else None for key in keys}

    def _swap(self, zone: Zone, changes: Sequence[RRsetChange]) -> None:
        """Go from `before` to `after`. With a feed a zone that is up to date and not at `after` has moved past it."""
        held = {change.key: zone.get(change.key) for change in changes}
        drifted = [change.key for change in changes if self._feed or held[change.key] != change.before]
        if drifted:
            raise Drifted({key: held[key] for key in drifted})
        if changes:
            zone.apply([(change.key, change.after) for change in changes], self._serial_after(zone.serial))

    def _follow_if_moved(self) -> None:
        if self._feed is not None and self._feed.has_moved():
            self._follow()

    def _follow(self) -> None:
        if self._feed is None:
            return
        moved = self._feed.changes_since(self._seq)
        batches = self._sort_out(moved)
        for apex, zone in self._zones.items():
            batch = batches.get(apex, [])
            serial = moved.serials.get(apex, self._serial_after(zone.serial) if batch else zone.serial)
            if batch or serial != zone.serial:
                zone.apply(batch, serial)
        self._seq = moved.seq

    def _sort_out(self, moved: ZoneChanges) -> dict[Name, list[tuple[RRsetKey, RRset | None]]]:
        """Return what is new to each zone, in the order of commits. A commit that moved no address is not news."""
        batches: dict[Name, list[tuple[RRsetKey, RRset | None]]] = {}
        for key, rrset in moved.rrsets:
            apex = get_zone_of(key.name, self._zones)
            zone = None if apex is None else self._zones[apex]
            objection = zone.why_not_dynamic(key) if zone else f"{key.name} is in no zone served here"
            if objection is not None:
                self._skip(key, rrset, objection)
            elif apex is not None and zone is not None and zone.get(key) != rrset:
                batches.setdefault(apex, []).append((key, rrset))
        return batches

    def _skip(self, key: RRsetKey, rrset: RRset | None, objection: str) -> None:
        if rrset is None:
            self._skipped.pop(key, None)
        else:
            self._skipped[key] = objection


def _missing(zone: Zone, changes: Sequence[RRsetChange]) -> list[RRsetChange]:
    """Return what the zone does not show yet."""
    return [change for change in changes if zone.get(change.key) != change.after]
