"""Hosted zones and changes as state: made, found, listed, deleted, and moved on by batches. One account.

Not locked: its owner (fake.py) is. The rules of a batch are in batch.py; XML is in api.py and its readers and writers.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from local_aws.route53.batch import Quotas, Zone, apply_batch
from local_aws.route53.errors import ApiError
from local_aws.route53.faults import prior_request_not_complete
from local_aws.route53.journal import Entry, Journal
from local_aws.route53.names import BadName, parse_name, sort_key
from local_aws.route53.records import Change, RecordSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_DELEGATIONS = (("awsdns-00", "com"), ("awsdns-01", "net"), ("awsdns-02", "org"), ("awsdns-03", "co.uk"))
_MAX_ZONES = 500


@dataclass(frozen=True, slots=True)
class Vpc:
    """What makes a hosted zone private."""

    id: str
    region: str


@dataclass(frozen=True, slots=True)
class ChangeInfo:
    """A change as GetChange tells of it: PENDING, and INSYNC from `insync_at` on."""

    id: str
    submitted_at: float
    insync_at: float
    comment: str | None = None

    def status(self, now: float) -> str:
        """PENDING or INSYNC."""
        return "INSYNC" if now >= self.insync_at else "PENDING"


@dataclass(slots=True)
class HostedZone:
    """A zone with its sets."""

    id: str
    name: str
    caller_reference: str
    comment: str | None = None
    vpc: Vpc | None = None
    name_servers: tuple[str, ...] = ()
    records: dict[tuple[str, str], tuple[RecordSet, ...]] = field(default_factory=dict)
    busy_until: float = 0.0
    _sorted: list[RecordSet] | None = None
    _places: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def private(self) -> bool:
        """Whether it answers in a VPC only."""
        return self.vpc is not None

    def sorted(self) -> list[RecordSet]:
        """All sets, in the order of ListResourceRecordSets."""
        if self._sorted is None:
            self._sorted = sorted(itertools.chain.from_iterable(self.records.values()), key=lambda rrset: rrset.order)
            self._places = [rrset.order for rrset in self._sorted]
        return self._sorted

    def page(self, start: tuple[str, str, str], size: int) -> tuple[list[RecordSet], RecordSet | None]:
        """So many sets from a place in the order on, and the one that follows them."""
        found = self.sorted()
        first = bisect_left(self._places, start)
        return found[first : first + size], (found[first + size] if first + size < len(found) else None)

    @property
    def count(self) -> int:
        """How many sets there are."""
        return sum(map(len, self.records.values()))

    def put(self, key: tuple[str, str, str | None], rrset: RecordSet | None) -> RecordSet | None:
        """Set or remove one set; what was there before."""
        present = self.records.get(key[:2], ())
        before = next((one for one in present if one.key == key), None)
        after = tuple(one for one in present if one.key != key) + (() if rrset is None else (rrset,))
        self._sorted = None
        if after:
            self.records[key[:2]] = after
        else:
            self.records.pop(key[:2], None)
        return before


class Zones:
    """The account's zones and changes."""

    def __init__(
        self, clock: Callable[[], float], journal: Journal, quotas: Quotas, insync_seconds: float, busy_seconds: float
    ) -> None:
        self._clock, self._journal, self.quotas = clock, journal, quotas
        self.insync_seconds, self.busy_seconds = insync_seconds, busy_seconds
        self._random = Random(53)
        self._zones: dict[str, HostedZone] = {}
        self._changes: dict[str, ChangeInfo] = {}

    def create(
        self, name: str, reference: str, comment: str | None = None, vpc: Vpc | None = None, zone_id: str | None = None
    ) -> tuple[HostedZone, ChangeInfo]:
        """A new zone with its NS and SOA sets (Developer Guide, "NS and SOA records")."""
        try:
            shown = parse_name(name)
        except BadName as bad:
            raise ApiError("InvalidDomainName", f"{name} is not a valid domain name: {bad}") from bad
        if any(zone.caller_reference == reference for zone in self._zones.values()):
            text = "A hosted zone has already been created with the specified caller reference."
            raise ApiError("HostedZoneAlreadyExists", text, status=409)
        if len(self._zones) >= _MAX_ZONES:
            raise ApiError("TooManyHostedZones", f"Limit of {_MAX_ZONES} hosted zones is reached.")
        zone = HostedZone(zone_id or self._new_id("Z"), shown, reference, comment, vpc, self._delegation())
        self._zones[zone.id] = zone
        info = self._new_change(None)
        self._write(zone, info.id, [RecordSet(shown, "NS", 172_800, zone.name_servers), _soa(zone)])
        return zone, info

    def find(self, zone_id: str) -> HostedZone:
        """The zone; raises ApiError NoSuchHostedZone."""
        if zone_id not in self._zones:
            raise ApiError("NoSuchHostedZone", f"No hosted zone found with ID: {zone_id}", status=404)
        return self._zones[zone_id]

    def by_id(self) -> list[HostedZone]:
        """All, in the order of ListHostedZones."""
        return sorted(self._zones.values(), key=lambda zone: zone.id)

    def by_name(self) -> list[HostedZone]:
        """All, in the order of ListHostedZonesByName."""
        return sorted(self._zones.values(), key=lambda zone: (sort_key(zone.name), zone.id))

    def delete(self, zone_id: str) -> ChangeInfo:
        """Remove a zone that has nothing but the NS and SOA sets of its apex."""
        zone = self.find(zone_id)
        self._refuse_busy(zone)
        if set(zone.records) - {(zone.name, "NS"), (zone.name, "SOA")}:
            text = "The specified hosted zone contains non-required resource record sets and so cannot be deleted."
            raise ApiError("HostedZoneNotEmpty", text)
        info = self._new_change(None)
        for rrset in zone.sorted():
            self._record(zone, info.id, rrset, None)
        del self._zones[zone_id]
        return info

    def change(self, zone_id: str, changes: Sequence[Change], comment: str | None = None) -> ChangeInfo:
        """Do a batch; raises ApiError InvalidChangeBatch, PriorRequestNotComplete or NoSuchHostedZone."""
        zone = self.find(zone_id)
        self._refuse_busy(zone)
        changed = apply_batch(Zone(zone.id, zone.name), zone.records, changes, self.quotas)
        info = self._new_change(comment)
        for key, after in changed.items():
            before = zone.put(key, after)
            if before != after:
                self._journal.entries.append(Entry(self._clock(), info.id, zone.id, key, before, after))
        zone.busy_until = self._clock() + self.busy_seconds
        return info

    def seed(self, zone_id: str, rrset: RecordSet) -> None:
        """Put a set there as if somebody else had, without any rule; it is in the journal as change "seed"."""
        zone = self.find(zone_id)
        self._write(zone, "seed", [replace(rrset, name=parse_name(rrset.name))])

    def find_change(self, change_id: str) -> ChangeInfo:
        """The change; raises ApiError NoSuchChange."""
        if change_id not in self._changes:
            raise ApiError("NoSuchChange", f"Could not find resource with ID: {change_id}", status=404)
        return self._changes[change_id]

    def _write(self, zone: HostedZone, change_id: str, rrsets: Sequence[RecordSet]) -> None:
        for rrset in rrsets:
            self._record(zone, change_id, zone.put(rrset.key, rrset), rrset)

    def _record(self, zone: HostedZone, change_id: str, before: RecordSet | None, after: RecordSet | None) -> None:
        named = after or before
        if named is not None:
            self._journal.entries.append(Entry(self._clock(), change_id, zone.id, named.key, before, after))

    def _refuse_busy(self, zone: HostedZone) -> None:
        if self._clock() < zone.busy_until:
            raise prior_request_not_complete()

    def _new_change(self, comment: str | None) -> ChangeInfo:
        now = self._clock()
        info = ChangeInfo(self._new_id("C"), now, now + self.insync_seconds, comment)
        self._changes[info.id] = info
        return info

    def _new_id(self, letter: str) -> str:
        return letter + "".join(self._random.choices(_ID_LETTERS, k=20))

    def _delegation(self) -> tuple[str, ...]:
        number = self._random.randrange(512)
        return tuple(f"ns-{number + 512 * at}.{host}.{top}." for at, (host, top) in enumerate(_DELEGATIONS))


def _soa(zone: HostedZone) -> RecordSet:
    value = f"{zone.name_servers[0]} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    return RecordSet(zone.name, "SOA", 900, (value,))
