"""What the kernel's tables hold: links, addresses, neighbours, routes. The flags are those of rtnetlink(7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from homing.core.values import frozen

if TYPE_CHECKING:
    from homing.core.addresses import Address, Network

TEMPORARY, DAD_FAILED, DEPRECATED, TENTATIVE = 0x01, 0x08, 0x20, 0x40
PERMANENT, MANAGES_TEMPORARY, STABLE_PRIVACY = 0x80, 0x100, 0x800
FOREVER = 0xFFFFFFFF

LINK_UP, LINK_LOOPBACK, LINK_POINT_TO_POINT, LINK_CARRIER = 0x1, 0x8, 0x10, 0x10000
UNICAST_ROUTE, MAIN_TABLE = 1, 254
STATES = {1: "incomplete", 2: "reachable", 4: "stale", 8: "delay", 16: "probe", 32: "failed", 64: "noarp",
          128: "permanent"}  # fmt: skip
"""States of a neighbour (NUD_*)."""


@frozen
class Link:
    """A network interface."""

    index: int
    name: str
    mac: str | None
    flags: int

    @property
    def is_up(self) -> bool:
        """Tell whether it was switched on and has a carrier."""
        return self.flags & LINK_UP != 0 and self.flags & LINK_CARRIER != 0

    @property
    def is_loopback(self) -> bool:
        """Tell whether it is `lo` or the like."""
        return self.flags & LINK_LOOPBACK != 0


@frozen
class InterfaceAddress:
    """An address of this machine. Lifetimes are in seconds from the dump on; None is for ever."""

    index: int
    address: Address
    prefix_length: int
    flags: int = 0
    scope: int = 0
    preferred: int | None = None
    valid: int | None = None
    peer: Address | None = None

    @property
    def is_temporary(self) -> bool:
        """Tell whether it is a privacy address (RFC 8981). On IPv4 the same bit means "secondary"."""
        return self.address.version == 6 and self.flags & TEMPORARY != 0

    @property
    def is_deprecated(self) -> bool:
        """Tell whether its preferred lifetime is over (RFC 4862 section 5.5.4)."""
        return self.flags & DEPRECATED != 0 or self.preferred == 0

    @property
    def is_usable(self) -> bool:
        """Tell whether duplicate detection has ended well, and its life has not ended."""
        return self.flags & (TENTATIVE | DAD_FAILED) == 0 and self.valid != 0


@frozen
class Neighbour:
    """An entry of the ARP or neighbour table."""

    index: int
    address: Address
    mac: str | None
    state: str


@frozen
class Route:
    """A route of whatever table; `gateway` is None where the destination is on the link."""

    destination: Network
    index: int
    gateway: Address | None = None
    priority: int = 0
    table: int = MAIN_TABLE
    kind: int = UNICAST_ROUTE

    @property
    def is_default(self) -> bool:
        """Tell whether it leads to the whole Internet, for all that no rule sends by another table."""
        return self.destination.prefixlen == 0 and self.kind == UNICAST_ROUTE and self.table == MAIN_TABLE


Value: TypeAlias = Link | InterfaceAddress | Neighbour | Route


@frozen
class Snapshot:
    """What decides which of this machine's addresses is the right one."""

    links: tuple[Link, ...]
    addresses: tuple[InterfaceAddress, ...]
    routes: tuple[Route, ...]


def lasting(seconds: int | None) -> int:
    """Return a lifetime as a number to compare; for ever is longer than any that a router can tell (32 bits)."""
    return 1 << 32 if seconds is None else seconds
