"""What may be published of a link: into which IPv6 prefix a name belongs, and which addresses are out of the question.

Global prefixes come before others, and then the one that its router promised for longest, as in `choice.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.choice import LEAST_MARGIN, MOST_MARGIN
from homing.core.addresses import can_be_assigned, describe, is_global

if TYPE_CHECKING:
    from ipaddress import IPv6Network

    from homing.client.lan_values import Aim, Member
    from homing.client.neighbours import OwnLink, OwnPrefix
    from homing.core.addresses import Address

_LONGEST_PREFIX = 120
"""A network of less than 256 addresses has no room for identifiers."""
_FOREVER = 1 << 32


def prefixes_of(member: Member, link: OwnLink, aim: Aim) -> list[IPv6Network]:
    """Return the prefixes in use that would do for a member, best first: global ones, then the longest preferred.

    The prefix that it is in now stays the best while it is about as good, so that two routers do not make it swing.
    """
    usable = [one for one in link.prefixes if not one.is_deprecated and one.network.prefixlen <= _LONGEST_PREFIX]
    allowed = [one for one in usable if objection(member, one.network.network_address + 1, aim) is None]
    ranked = sorted(allowed, key=lambda one: (_is_internal(one, aim), -_length(one)))
    for one in ranked[1:]:
        best = ranked[0]
        margin = min(max(_length(best) // 2, LEAST_MARGIN), MOST_MARGIN)
        is_close = _length(best) - _length(one) <= margin and _is_internal(one, aim) == _is_internal(best, aim)
        if member.address is not None and member.address in one.network and is_close:
            ranked.remove(one)
            ranked.insert(0, one)
            break
    return [one.network for one in ranked]


def _is_internal(prefix: OwnPrefix, aim: Aim) -> bool:
    return not is_global(prefix.network.network_address + 1, aim.public_networks)


def _length(prefix: OwnPrefix) -> int:
    return _FOREVER if prefix.preferred is None else prefix.preferred


def objection(member: Member, address: Address, aim: Aim) -> str | None:
    """Return why a member may not be set to an address, or None. What the server did not tell, it decides."""
    if not can_be_assigned(address) or address.is_link_local or address.is_loopback:
        return f"{address} is of no use outside of its own link"
    if member.allow_internal is False and not is_global(address, aim.public_networks):
        what = describe(address) or "special"
        return f"{address} is not global ({what}): homing host set NAME --allow-internal would allow it"
    return None
