"""The rules of a change batch (API reference, ChangeResourceRecordSets): the whole of it is done, or none of it.

Works on one zone's record sets and gives back what they would be; stores nothing. Reasons are gathered phase by phase:
all the messages of the first phase that has any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from local_aws.route53.errors import ApiError
from local_aws.route53.names import is_within
from local_aws.route53.rdata import comparable, problem_of
from local_aws.route53.records import RECORD_TYPES, Change, Key, RecordSet, shown

Records = Mapping[tuple[str, str], tuple[RecordSet, ...]]
"""The sets of a zone by name and type; several only where each has a set identifier."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """Developer Guide, "Quotas" (DNSLimitations). UPSERT counts each element and each character twice."""

    elements: int = 1_000
    characters: int = 32_000
    values: int = 400
    sets_in_zone: int = 10_000


@dataclass(frozen=True, slots=True)
class Zone:
    """What the rules need to know of the zone."""

    id: str
    name: str


def apply_batch(zone: Zone, records: Records, changes: Sequence[Change], quotas: Quotas) -> dict[Key, RecordSet | None]:
    """What the batch makes of each set that it names: a new one, or None; raises ApiError InvalidChangeBatch."""
    _refuse(_over_quota(changes, quotas))
    _refuse(_twice_the_same(changes))
    _refuse(_bad_values(changes, quotas))
    work = _Work(zone, records)
    _refuse([reason for change in changes if (reason := work.change(change))])
    _refuse(work.broken_in_the_end(quotas))
    return work.changed


def _refuse(reasons: Iterable[str]) -> None:
    if found := list(dict.fromkeys(reasons)):
        raise ApiError("InvalidChangeBatch", *found)


def _over_quota(changes: Sequence[Change], quotas: Quotas) -> Iterator[str]:
    weighed = [(2 if change.action == "UPSERT" else 1, change.record_set.values) for change in changes]
    if sum(weight * len(values) for weight, values in weighed) > quotas.elements:
        yield f"Number of records limit of {quotas.elements} exceeded."
    if sum(weight * sum(map(len, values)) for weight, values in weighed) > quotas.characters:
        yield f"RDATA character limit of {quotas.characters} exceeded."


def _twice_the_same(changes: Sequence[Change]) -> Iterator[str]:
    """One change of a set, or a DELETE and then a CREATE of it."""
    actions: dict[Key, list[str]] = {}
    for change in changes:
        actions.setdefault(change.record_set.key, []).append(change.action)
    for (name, rrtype, identifier), of_key in actions.items():
        if len(of_key) > 1 and of_key != ["DELETE", "CREATE"]:
            tail = "" if identifier is None else f" {identifier}"
            yield f"The request contains an invalid set of changes for a resource record set '{rrtype} {name}{tail}'"


def _bad_values(changes: Sequence[Change], quotas: Quotas) -> Iterator[str]:
    for change in changes:
        rrset = change.record_set
        yield from _bad_values_of(rrset, quotas)
        if bool(rrset.routing) != (rrset.set_identifier is not None):
            yield f"RRSet with DNS name {rrset.name}, type {rrset.type} needs a SetIdentifier and a routing policy."


def _bad_values_of(rrset: RecordSet, quotas: Quotas) -> Iterator[str]:
    problems = [problem for value in rrset.values if (problem := problem_of(rrset.type, value))]
    yield from problems
    if len(rrset.values) > quotas.values:
        yield f"Cannot have more than {quotas.values} records in a RRSet."
    if rrset.type in {"CNAME", "SOA"} and len(rrset.values) > 1:
        yield f"RRSet of type {rrset.type} with DNS name {rrset.name} can have one resource record only."
    if not problems:
        counted = Counter(comparable(rrset.type, value) for value in rrset.values)
        yield from (f"Duplicate Resource Record: '{value}'" for value, count in counted.items() if count > 1)


class _Work:
    """The zone as it is after the changes so far; the changes are taken in their order."""

    def __init__(self, zone: Zone, records: Records) -> None:
        self.zone = zone
        self.changed: dict[Key, RecordSet | None] = {}
        self._records = dict(records)
        self._grown = 0

    def change(self, change: Change) -> str | None:
        """Take one change; the reason why it cannot be, if it cannot."""
        rrset = change.record_set
        if not is_within(rrset.name, self.zone.name):
            return f"RRSet with DNS name {rrset.name} is not permitted in zone {self.zone.name}"
        present = self._present(rrset.key)
        reason = self._delete(rrset, present) if change.action == "DELETE" else self._put(change, present)
        if reason is None:
            self._keep(rrset.key, None if change.action == "DELETE" else rrset)
        return reason

    def _delete(self, rrset: RecordSet, present: RecordSet | None) -> str | None:
        if present is None:
            return f"Tried to delete resource record set {shown(rrset.key)} but it was not found"
        if not present.matches(rrset):
            return (
                f"Tried to delete resource record set {shown(rrset.key)} "
                "but the values provided do not match the current values"
            )
        return None

    def _put(self, change: Change, present: RecordSet | None) -> str | None:
        rrset = change.record_set
        if change.action == "CREATE" and present is not None:
            return f"Tried to create resource record set {shown(rrset.key)} but it already exists"
        return self._misplaced(rrset) or self._conflicting(rrset) or self._mixed(rrset) or self._dangling(rrset)

    def _misplaced(self, rrset: RecordSet) -> str | None:
        """CNAME and SOA: never, and only, at the apex."""
        at_apex = rrset.name == self.zone.name
        if rrset.type == "CNAME" and at_apex:
            return f"RRSet of type CNAME with DNS name {rrset.name} is not permitted at apex in zone {self.zone.name}"
        if rrset.type == "SOA" and not at_apex:
            return f"RRSet of type SOA with DNS name {rrset.name} is not permitted in zone {self.zone.name}"
        return None

    def _conflicting(self, rrset: RecordSet) -> str | None:
        """Beside a CNAME there is nothing (RFC 1034, section 3.6.2)."""
        named = f"RRSet of type {rrset.type} with DNS name {rrset.name} is not permitted"
        if rrset.type == "CNAME":
            others = any(self._records.get((rrset.name, rrtype)) for rrtype in RECORD_TYPES if rrtype != "CNAME")
            reason = f"as it conflicts with other records with the same DNS name in zone {self.zone.name}"
            return f"{named} {reason}" if others else None
        if self._records.get((rrset.name, "CNAME")):
            return (
                f"{named} because a conflicting RRSet of type CNAME "
                f"with the same DNS name already exists in zone {self.zone.name}"
            )
        return None

    def _mixed(self, rrset: RecordSet) -> str | None:
        """A name and type is one simple set, or several with set identifiers and one routing policy."""
        named = f"RRSet with DNS name {rrset.name}, type {rrset.type}"
        others = [other for other in self._records.get(rrset.key[:2], ()) if other.key != rrset.key]
        if others and rrset.set_identifier is None:
            return f"{named} cannot be created as other RRSets exist with the same name and type."
        if any(_policy(other) != _policy(rrset) for other in others):
            reason = f"a non-{_policy(rrset)} set exists with the same name and type."
            return f"{named}, SetIdentifier {rrset.set_identifier} cannot be created as {reason}"
        return None

    def _dangling(self, rrset: RecordSet) -> str | None:
        """An alias to a set of the same zone that is not there."""
        alias = rrset.alias
        if alias is None or alias.zone_id != self.zone.id or self._records.get((alias.name, rrset.type)):
            return None
        target = f"{alias.name}, type {rrset.type} in zone {alias.zone_id}"
        return f"Tried to create an alias that targets {target}, but that target was not found"

    def broken_in_the_end(self, quotas: Quotas) -> Iterator[str]:
        """What may be wrong for a moment, within the batch, but not at its end."""
        if not self._records.get((self.zone.name, "SOA")):
            yield "A HostedZone must contain exactly one SOA record."
        if not self._records.get((self.zone.name, "NS")):
            yield "A HostedZone must contain at least one NS record for the zone itself."
        if self._grown > 0 and sum(map(len, self._records.values())) > quotas.sets_in_zone:
            yield f"Exceeded limit MAX_RRSETS_BY_ZONE for zone: {self.zone.id}"

    def _present(self, key: Key) -> RecordSet | None:
        return next((rrset for rrset in self._records.get(key[:2], ()) if rrset.key == key), None)

    def _keep(self, key: Key, rrset: RecordSet | None) -> None:
        before = self._records.get(key[:2], ())
        after = tuple(other for other in before if other.key != key)
        after += () if rrset is None else (rrset,)
        self._grown += len(after) - len(before)
        self.changed[key] = rrset
        if after:
            self._records[key[:2]] = after
        else:
            self._records.pop(key[:2], None)


def _policy(rrset: RecordSet) -> str:
    """The routing policy, by its first element."""
    return rrset.routing[0][0].lower().replace("weight", "weighted") if rrset.routing else "simple"
