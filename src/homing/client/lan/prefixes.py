"""What may be published of a link: into which IPv6 prefix a name belongs, and which addresses are out of the question.

Global prefixes come before others, and then the one that its router promised for longest, as in `choice.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.choice import LEAST_MARGIN, MOST_MARGIN
from homing.client.netlink_values import lasting
from homing.core.addresses import can_be_assigned, describe, is_global

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv6Network

    from homing.client.lan.neighbours import OwnLink, OwnPrefix
    from homing.client.lan.values import Aim, Member
    from homing.core.addresses import Address

_SUBNET = 64
_LONGEST_PREFIX = 120
"""A network of less than 256 addresses has no room for identifiers."""


def prefixes_of(member: Member, link: OwnLink, aim: Aim) -> list[IPv6Network]:
    """Return the prefixes in use that would do for a member, best first: global ones, then the longest preferred.

    The prefix that it is in now stays the best while it is about as good, so that two routers do not make it swing.
    """
    usable = [one for one in link.prefixes if not one.is_deprecated and one.network.prefixlen <= _LONGEST_PREFIX]
    allowed = [one for one in usable if objection(member, one.network.network_address + 1, aim) is None]
    ranked = sorted(allowed, key=lambda one: (_is_internal(one, aim), -lasting(one.preferred)))
    for one in ranked[1:]:
        best = ranked[0]
        lead = lasting(best.preferred) - lasting(one.preferred)
        margin = min(max(lasting(best.preferred) // 2, LEAST_MARGIN), MOST_MARGIN)
        is_close = lead <= margin and _is_internal(one, aim) == _is_internal(best, aim)
        if member.address is not None and member.address in one.network and is_close:
            ranked.remove(one)
            ranked.insert(0, one)
            break
    return [one.network for one in ranked]


def with_room(prefixes: Sequence[IPv6Network], identifier: int) -> list[IPv6Network]:
    """Return the prefixes that an interface identifier can be put behind whole, and into the right subnet of them.

    Of two within each other it is the /64, which is what hosts make addresses in (RFC 4862), and else the longer one:
    a site's prefix on the link does not tell the subnet.
    """
    fitting = [one for one in prefixes if identifier >> (one.max_prefixlen - one.prefixlen) == 0]
    return [one for one in fitting if not any(_is_nearer(other, one) for other in fitting)]


def _is_nearer(other: IPv6Network, one: IPv6Network) -> bool:
    """Tell whether `other` is rather than `one` the network of a host that is in both."""
    if other.prefixlen > one.prefixlen:
        return one.prefixlen != _SUBNET and other.subnet_of(one)
    return other.prefixlen == _SUBNET and other != one and one.subnet_of(other)


def _is_internal(prefix: OwnPrefix, aim: Aim) -> bool:
    return not is_global(prefix.network.network_address + 1, aim.public_networks)


def objection(member: Member, address: Address, aim: Aim) -> str | None:
    """Return why a member may not be set to an address, or None. What the server did not tell, it decides."""
    if not can_be_assigned(address) or address.is_link_local or address.is_loopback:
        return f"{address} is of no use outside of its own link"
    if member.allow_internal is False and not is_global(address, aim.public_networks):
        what = describe(address) or "special"
        return f"{address} is not global ({what}): homing host set NAME --allow-internal would allow it"
    return None
