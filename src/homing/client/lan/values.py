"""The values of a round of `homing lan`: who is in the group, what is seen here, what is wanted, what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.values import frozen

if TYPE_CHECKING:
    from ipaddress import IPv6Network

    from homing.client.lan.leases import Lease
    from homing.client.lan.neighbours import OwnLink, Sight
    from homing.core.addresses import Address, Network
    from homing.core.hosts import RecordType


@frozen
class Member:
    """One RRset of the group, as the server tells it; what it does not tell is None."""

    hostname: str
    record_type: RecordType
    mac: str | None = None
    identifier: int | None = None
    """Its interface identifier (RFC 4291 section 2.5.1) as its owner set it."""
    address: Address | None = None
    """What it is set to now."""
    allow_internal: bool | None = None
    is_locked: bool = False
    listed: str | None = None
    """The name as the server lists it, where that is another text; awslabs' own server knows it by no other."""

    @property
    def version(self) -> int:
        """The IP version of its addresses."""
        return 4 if self.record_type == "A" else 6


@frozen
class Scene:
    """What is seen here."""

    links: tuple[OwnLink, ...]
    sights: tuple[Sight, ...] = ()
    """Those that are fresh: each was there in this round."""
    leases: tuple[Lease, ...] = ()
    old: tuple[Sight, ...] = ()
    """What else the neighbour tables hold: nobody knows whether it is still so."""


@frozen
class Aim:
    """What the owner wants of it."""

    own: frozenset[str] = frozenset()
    """Names that are not touched: this machine's own, which `homing update` sets."""
    prefix: IPv6Network | None = None
    """Complete this prefix instead of one of the link's own."""
    eui64: bool = False
    """Set AAAA of a machine that is not seen to the EUI-64 of its MAC address."""
    public_networks: tuple[Network, ...] = ()


@frozen
class Move:
    """A name that is to be set."""

    member: Member
    address: Address
    reason: str

    @property
    def is_news(self) -> bool:
        """Tell whether it is another address than the server has, as far as is known."""
        return self.address != self.member.address


@frozen
class Kept:
    """A name that is left as it is, and why."""

    member: Member
    reason: str


@frozen
class Plan:
    """What a round comes to. `moves` include those that need no sending."""

    moves: tuple[Move, ...] = ()
    kept: tuple[Kept, ...] = ()
