"""What Route 53's name servers would say to one question: TestDNSAnswer, and views of the zone for a real DNS server.

Takes the present sets at once, without the propagation time. Aliases to other zones have no data here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.route53.names import is_within

if TYPE_CHECKING:
    from local_aws.route53.records import RecordSet
    from local_aws.route53.zones import HostedZone


def answer(zone: HostedZone, name: str, rrtype: str) -> tuple[str, tuple[str, ...]]:
    """The response code and the values."""
    if not is_within(name, zone.name):
        return "REFUSED", ()
    found = _found(zone, name, rrtype)
    if found is None:
        return "NXDOMAIN", ()
    return "NOERROR", _values(zone, found)


def _found(zone: HostedZone, name: str, rrtype: str) -> tuple[RecordSet, ...] | None:
    """The sets at the name or the wildcard that covers it; None if there is no such name."""
    names = {rrset.name for rrset in zone.sorted()}
    closest = name
    while not any(one == closest or one.endswith("." + closest) for one in names):
        closest = closest.partition(".")[2]
    owner = name if closest == name else f"\\052.{closest}"
    if owner not in names and owner != name:
        return None
    return zone.records.get((owner, rrtype)) or zone.records.get((owner, "CNAME"), ())


def _values(zone: HostedZone, found: tuple[RecordSet, ...]) -> tuple[str, ...]:
    """The first set's; an alias within the zone is followed once."""
    for rrset in found[:1]:
        if rrset.alias is None:
            return rrset.values
        return tuple(value for one in zone.records.get((rrset.alias.name, rrset.type), ())[:1] for value in one.values)
    return ()
