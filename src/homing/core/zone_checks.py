"""What the static records of a zone must be for the zone to work. Only `zone.py` calls this, when a zone is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput
from homing.core.names import Name, is_within, parent
from homing.core.records import RRsetKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from homing.core.records import RRset

_META = frozenset({"ANY", "AXFR", "IXFR", "MAILA", "MAILB", "OPT", "TKEY", "TSIG", "NXNAME", "SIG"})
_SIGNING = frozenset({"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "KEY", "NXT"})
_AT_A_CUT = frozenset({"NS", "DS", "A", "AAAA"})
_GLUE = frozenset({"A", "AAAA"})

NEVER_DYNAMIC = _META | _SIGNING | {"CNAME", "DNAME", "NS", "SOA", "DS"}
"""Types that steer a zone rather than fill it: only the settings may hold them, and some of them nobody."""


def check_soa(ttl: int, numbers: Iterable[int]) -> None:
    """Raise InvalidInput when a number does not fit its field (RFC 1035 section 3.3.13)."""
    _check_ttl("the SOA", ttl)
    for number in numbers:
        if not 0 <= number < 2**32:
            raise InvalidInput(f"{number} does not fit into an SOA record")


def check_static(apex: Name, records: Mapping[RRsetKey, RRset]) -> None:
    """Raise InvalidInput, naming the record, when these cannot be the static RRsets of the zone."""
    if RRsetKey(apex, "NS") not in records:
        raise InvalidInput(f"the zone {apex} has no NS record")
    for key, rrset in records.items():
        _check_one(apex, key, rrset)
    _check_aliases(apex, records)
    _check_delegations(apex, records)


def find_cuts(apex: Name, records: Mapping[RRsetKey, RRset]) -> frozenset[Name]:
    """Return the names at which other zones begin."""
    return frozenset(key.name for key in records if key.type == "NS" and key.name != apex)


def _check_one(apex: Name, key: RRsetKey, rrset: RRset) -> None:
    what = f"{key.name} {key.type}"
    if not is_within(key.name, apex):
        raise InvalidInput(f"{what} is not in the zone {apex}")
    if key.type == "SOA":
        raise InvalidInput(f"{what}: the SOA record has settings of its own")
    if key.type == "DNAME":
        raise InvalidInput(f"{what}: DNAME is not supported")
    if key.type in _SIGNING:
        raise InvalidInput(f"{what}: DNSSEC signing is not supported")
    if key.type in _META:
        raise InvalidInput(f"{what}: this type cannot stand in a zone")
    if key.type == "NS" and key.name.startswith("*."):
        raise InvalidInput(f"{what}: a wildcard cannot be delegated (RFC 4592 section 4.2)")
    if not rrset.rdata:
        raise InvalidInput(f"{what} has no records")
    _check_ttl(what, rrset.ttl)


def _check_ttl(what: str, ttl: int) -> None:
    if not 0 <= ttl < 2**31:  # RFC 2181 section 8
        raise InvalidInput(f"{what}: {ttl} is not a TTL")


def _check_aliases(apex: Name, records: Mapping[RRsetKey, RRset]) -> None:
    """Hold that a CNAME stands alone at its name (RFC 1034 section 3.6.2, RFC 2181 section 10.1)."""
    aliases = {key.name: rrset for key, rrset in records.items() if key.type == "CNAME"}
    if apex in aliases:
        raise InvalidInput(f"{apex} CNAME: the apex of a zone cannot be a CNAME")
    for name, rrset in aliases.items():
        if len(rrset.rdata) > 1:
            raise InvalidInput(f"{name} has {len(rrset.rdata)} CNAME records; one is the most")
    for key in records:
        if key.type != "CNAME" and key.name in aliases:
            raise InvalidInput(f"{key.name} {key.type} cannot stand beside a CNAME")


def _check_delegations(apex: Name, records: Mapping[RRsetKey, RRset]) -> None:
    cuts = find_cuts(apex, records)
    for key in records:
        if key.type == "DS" and key.name not in cuts:
            raise InvalidInput(f"{key.name} DS: a DS record belongs beside the NS records of a delegation")
        if key.name in cuts and key.type not in _AT_A_CUT:
            raise InvalidInput(f"{key.name} {key.type} is hidden: {key.name} is delegated")
        cut = _cut_above(key.name, cuts)
        if cut is not None and key.type not in _GLUE:
            raise InvalidInput(f"{key.name} {key.type} is hidden below the delegation of {cut}")
    for cut in cuts:
        for server in map(Name, records[RRsetKey(cut, "NS")].rdata):
            if is_within(server, cut) and not any(RRsetKey(server, type_) in records for type_ in _GLUE):
                raise InvalidInput(f"{cut} NS {server} needs an A or AAAA record here, or nobody can reach it")


def _cut_above(name: Name, cuts: frozenset[Name]) -> Name | None:
    above = parent(name)
    while above is not None:
        if above in cuts:
            return above
        above = parent(above)
    return None
