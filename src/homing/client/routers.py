"""Which router this machine uses, and who is on one of its own links. Pure: the kernel's tables come in."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homing.client.netlink_values import Snapshot
    from homing.core.addresses import Address


def get_router(snapshot: Snapshot, interface: str | None = None) -> Address | None:
    """Return the IPv4 gateway of the best default route, of those through an interface if one is named."""
    links = _links(snapshot, interface)
    ways = [
        (route.priority, int(route.gateway), route.gateway)
        for route in snapshot.routes
        if route.is_default and route.index in links and route.gateway is not None and route.gateway.version == 4
    ]
    return min(ways)[2] if ways else None


def is_on_link(address: Address, snapshot: Snapshot, interface: str | None = None) -> bool:
    """Tell whether an IPv4 address is within a network of a link: nobody else's packets get there without a router."""
    links = _links(snapshot, interface)
    return any(
        address in IPv4Network((int(one.address), one.prefix_length), strict=False)
        for one in snapshot.addresses
        if one.address.version == 4 and one.index in links
    )


def _links(snapshot: Snapshot, interface: str | None) -> set[int]:
    return {link.index for link in snapshot.links if link.is_up and interface in (None, link.name)}
