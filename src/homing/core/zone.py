"""A zone in memory: what the embedded DNS server answers from. Data and rules only; wire format is elsewhere.

A zone has *static* RRsets, given by the settings and checked once, and *dynamic* ones, the hosts, which come and go.
One writer at a time calls `apply`; any number of threads read meanwhile without a lock. A reader may see some RRsets of
a batch before others, never a torn RRset, and never an exception. `version` moves last: what was read before it moved
may be kept for as long as it has not moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.names import Name, get_zone_of, is_within
from homing.core.records import RRset, RRsetKey
from homing.core.values import frozen
from homing.core.zone_checks import NEVER_DYNAMIC, check_soa, check_static, find_cuts
from homing.core.zone_lookup import Alias, Answer, NoData, NxDomain, OwnedRRset, Referral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from homing.core.zone_lookup import Chain, Lookup

MAX_CHAIN = 8
"""So many CNAMEs are followed inside the zone; the resolver goes on from there (RFC 1034 section 3.6.2)."""

_ANY_FIRST = ("CNAME", "A", "AAAA")


@frozen
class SOA:
    """The SOA record of a zone but for its serial (RFC 1035 section 3.3.13). Times are in seconds.

    `minimum` bounds how long resolvers remember that something does not exist (RFC 2308 section 4).
    """

    mname: Name
    rname: Name
    refresh: int
    retry: int
    expire: int
    minimum: int
    ttl: int

    def to_rrset(self, serial: int) -> RRset:
        """Return the record as it stands in the zone."""
        times = f"{serial} {self.refresh} {self.retry} {self.expire} {self.minimum}"
        return RRset(self.ttl, (f"{self.mname} {self.rname} {times}",))


class Zone:
    """One authoritative zone.

    `records` are the static RRsets: the NS at the apex, and what else the operator wrote; not the SOA.

    Raises InvalidInput, naming the record, when the static RRsets cannot make up a zone.
    """

    def __init__(self, apex: Name, soa: SOA, records: Mapping[RRsetKey, RRset], serial: int) -> None:
        check_soa(soa.ttl, (serial, soa.refresh, soa.retry, soa.expire, soa.minimum))
        check_static(apex, records)
        self._apex = apex
        self._soa = soa
        self._serial = serial
        self._version = 0
        self._static = frozenset(records) | {RRsetKey(apex, "SOA")}
        self._cuts = find_cuts(apex, records)
        self._types = _types_to_try(key.type for key in self._static)
        self._rrsets: dict[tuple[Name, str], RRset] = {}
        # How many RRsets and existing children a name has. Empty non-terminals are the names that have only children.
        self._nodes: dict[Name, int] = {}
        for key, rrset in records.items():
            self._put(key, rrset)
        self._put(RRsetKey(apex, "SOA"), soa.to_rrset(serial))

    @property
    def apex(self) -> Name:
        """The name of the zone."""
        return self._apex

    @property
    def soa(self) -> SOA:
        """The SOA but for the serial."""
        return self._soa

    @property
    def serial(self) -> int:
        """The SOA serial that is being answered."""
        return self._serial

    @property
    def version(self) -> int:
        """Grows whenever the content or the serial has changed, after the change can be read."""
        return self._version

    @property
    def authority(self) -> OwnedRRset:
        """The SOA record, as a negative answer carries it."""
        key = RRsetKey(self._apex, "SOA")
        return OwnedRRset(key, self._rrsets[key])

    @property
    def negative_ttl(self) -> int:
        """The TTL, in seconds, of the SOA in a negative answer (RFC 2308 section 3)."""
        return min(self._soa.ttl, self._soa.minimum)

    def get(self, key: RRsetKey) -> RRset | None:
        """Return the RRset that stands at exactly this name and type, static or dynamic."""
        return self._rrsets.get(key)

    def rrsets(self) -> Iterator[tuple[RRsetKey, RRset]]:
        """Go through the dynamic RRsets as they are at this moment."""
        for (name, rtype), rrset in tuple(self._rrsets.items()):
            if (name, rtype) not in self._static:
                yield RRsetKey(name, rtype), rrset

    def why_not_dynamic(self, key: RRsetKey) -> str | None:
        """Tell why `apply` would refuse this key, or None when it would take it."""
        if key in self._static:
            return f"{key.name} {key.type} is set by the settings"
        if key.type in NEVER_DYNAMIC:
            return f"a host cannot own {key.type} records"
        if not is_within(key.name, self._apex):
            return f"{key.name} is not in the zone {self._apex}"
        if (key.name, "CNAME") in self._static:
            return f"{key.name} is a CNAME in the settings"
        if self._cuts and (cut := self._cut_above(key.name)):
            return f"{cut} is delegated to other name servers"
        return None

    def apply(self, changes: Iterable[tuple[RRsetKey, RRset | None]], serial: int) -> None:
        """Replace dynamic RRsets (None removes one) and set the serial. Callers take turns.

        Raises InvalidInput, and changes nothing, when `why_not_dynamic` has an objection to one of the keys.
        """
        batch = list(changes)
        for key, rrset in batch:
            if objection := self.why_not_dynamic(key):
                raise InvalidInput(objection)
            if rrset is not None and not rrset.rdata:
                raise InvalidInput(f"{key.name} {key.type} has no records")
        if not 0 <= serial < 2**32:
            raise InvalidInput(f"{serial} is not an SOA serial")
        for key, rrset in batch:
            if rrset is None:
                self._remove(key)
            else:
                self._put(key, rrset)
        self._rrsets[self._apex, "SOA"] = self._soa.to_rrset(serial)
        self._serial = serial
        self._version += 1

    def lookup(self, name: Name, rtype: str) -> Lookup:
        """Answer a question about a name in this zone (RFC 1034 section 4.3.2, RFC 4592).

        The type `ANY` gives one RRset of the name (RFC 8482 section 4.1).
        """
        chain: Chain = ()
        seen = {name}
        while True:
            outcome = self._resolve(name, rtype, chain)
            if not isinstance(outcome, OwnedRRset):
                return outcome
            chain = (*chain, outcome)
            name = Name(outcome.rrset.rdata[0])
            if name in seen or len(chain) >= MAX_CHAIN or not is_within(name, self._apex):
                return Alias(chain)
            seen.add(name)

    def _resolve(self, name: Name, rtype: str, chain: Chain) -> Lookup | OwnedRRset:
        """Look one name up; an OwnedRRset is a CNAME to follow."""
        if self._cuts and (cut := self._cut_above(name)) and not (cut == name and rtype == "DS"):
            return self._refer(cut, chain)
        source = name if name in self._nodes else self._find_wildcard(name)
        if source is None:
            return NxDomain(chain)
        found = self._find_any(source) if rtype == "ANY" else self._find(source, rtype)
        if found is None:
            return NoData(chain)
        key = RRsetKey(name, found.key.type)
        if key.type == "CNAME" and rtype not in {"CNAME", "ANY"}:
            return OwnedRRset(key, found.rrset)
        return Answer(OwnedRRset(key, found.rrset), source, chain)

    def _find(self, source: Name, rtype: str) -> OwnedRRset | None:
        for type_ in (rtype, "CNAME"):
            if rrset := self._rrsets.get((source, type_)):
                return OwnedRRset(RRsetKey(source, type_), rrset)
        return None

    def _find_any(self, source: Name) -> OwnedRRset | None:
        for type_ in self._types:
            if rrset := self._rrsets.get((source, type_)):
                return OwnedRRset(RRsetKey(source, type_), rrset)
        return None

    def _find_wildcard(self, name: Name) -> Name | None:
        """Return the wildcard below the closest encloser, if it exists (RFC 4592 section 3.3.1)."""
        encloser = _parent(name)
        while encloser not in self._nodes and len(encloser) > len(self._apex):
            encloser = _parent(encloser)
        source = Name("*." if encloser == "." else "*." + encloser)
        return source if source in self._nodes else None

    def _cut_above(self, name: Name) -> Name | None:
        """Return the delegation that covers the name, the name itself included. Cuts never nest."""
        while len(name) > len(self._apex):
            if name in self._cuts:
                return name
            name = _parent(name)
        return None

    def _refer(self, cut: Name, chain: Chain) -> Referral:
        ns = OwnedRRset(RRsetKey(cut, "NS"), self._rrsets[cut, "NS"])
        keys = (RRsetKey(Name(server), type_) for server in ns.rrset.rdata for type_ in ("A", "AAAA"))
        glue = tuple(OwnedRRset(key, rrset) for key in keys if (rrset := self._rrsets.get(key)))
        return Referral(ns, glue, chain)

    def _put(self, key: RRsetKey, rrset: RRset) -> None:
        if key not in self._rrsets:
            if key.type not in self._types:
                self._types = _types_to_try((*self._types, key.type))
            self._count_in(key.name)
        self._rrsets[key] = rrset

    def _remove(self, key: RRsetKey) -> None:
        if self._rrsets.pop(key, None) is not None:
            self._count_out(key.name)

    def _count_in(self, name: Name) -> None:
        """Make the name exist, and with it those between it and the apex, before its RRset can be found."""
        while (count := self._nodes.get(name, 0)) == 0 and name != self._apex:
            self._nodes[name] = 1
            name = _parent(name)
        self._nodes[name] = count + 1

    def _count_out(self, name: Name) -> None:
        while (count := self._nodes[name]) == 1 and name != self._apex:
            del self._nodes[name]
            name = _parent(name)
        self._nodes[name] = count - 1


class Zones:
    """The zones of a server, by apex."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._zones = {zone.apex: zone for zone in zones}

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._zones.values())

    def get(self, apex: Name) -> Zone | None:
        """Return the zone with this apex."""
        return self._zones.get(apex)

    def get_zone_of(self, name: Name) -> Zone | None:
        """Return the deepest zone that the name is in."""
        apex = get_zone_of(name, self._zones)
        return None if apex is None else self._zones[apex]


def serial_is_newer(a: int, b: int) -> bool:
    """Tell whether serial `a` comes after `b` (RFC 1982 section 3.2)."""
    return 0 < (a - b) % 2**32 < 2**31


def next_serial(serial: int, now: int) -> int:
    """Return the serial after this one: the Unix time `now` where that is newer, else one more. Never 0.

    So a serial tells when the zone last changed, and grows whatever the clock does.
    """
    clock = now % 2**32
    following = clock if serial_is_newer(clock, serial) else (serial + 1) % 2**32
    return following or 1


def _parent(name: Name) -> Name:
    """Return the name without its first label. A dot inside a label is written as an escape, `046`, not as a dot."""
    return Name(name[name.index(".") + 1 :] or ".")


def _types_to_try(types: Iterable[str]) -> tuple[str, ...]:
    """Put the types in the order in which an ANY query tries them: small answers first."""
    return tuple(dict.fromkeys((*_ANY_FIRST, *sorted(set(types)))))
