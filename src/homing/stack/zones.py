"""Hosted zones: which one is meant by a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.errors import Refused
from homing.core.names import Name, parse_name

if TYPE_CHECKING:
    from homing.stack.account import Account


@dataclass(frozen=True, slots=True)
class HostedZone:
    """A zone of Route 53, by the id that AWS gave it."""

    id: str
    name: Name
    is_private: bool = False


def get_zone_id(account: Account, name: Name) -> str | None:
    """Return the id of the one public zone of this name, or None if there is none and the stack is to make it.

    Raises Refused where only a person can tell which zone is meant.
    """
    listed = account.call("route53", "list_hosted_zones_by_name", DNSName=name, MaxItems="100")["HostedZones"]
    zones = [
        HostedZone(one["Id"].removeprefix("/hostedzone/"), name, bool(one.get("Config", {}).get("PrivateZone")))
        for one in listed
        if one["Name"] == name
    ]
    if len(zones) == 1 and not zones[0].is_private:
        return zones[0].id
    if not zones:
        return None
    shown = ", ".join(f"{zone.id} ({'private' if zone.is_private else 'public'})" for zone in zones)
    raise Refused(
        f"which zone is meant by {name.rstrip('.')}? Name it with --zone-id: {shown}; or --new-zone for another"
    )


def find_zone(account: Account, zone_id: str) -> HostedZone:
    """Return a zone by its id. Raises Refused if there is none."""
    zone_id = zone_id.removeprefix("/hostedzone/")
    found = account.call("route53", "get_hosted_zone", Id=zone_id)["HostedZone"]
    return HostedZone(zone_id, parse_name(found["Name"]), bool(found.get("Config", {}).get("PrivateZone")))
