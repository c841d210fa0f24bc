"""Which of an interface's addresses is the one to publish. Pure: the kernel's tables come in, an address goes out.

Of IPv6 it is the stable one: privacy addresses (RFC 8981) live for a day, deprecated ones (RFC 4862) are on their way
out, and ULA and link-local ones reach nobody. Where several remain, the one that its router promised for longest is
taken: a prefix that is not renewed any more is often one that the provider has taken back without a word (RFC 8978).
Two routers that renew in turns must not make the name swing: the address that is published stays while it is as good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.netlink_values import LINK_LOOPBACK, TEMPORARY, lasting
from homing.core.addresses import can_be_assigned, describe, is_global
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.client.netlink_values import InterfaceAddress, Link, Snapshot
    from homing.core.addresses import Address, Network

LEAST_MARGIN, MOST_MARGIN = 60, 1800
"""Seconds by which another lifetime must be longer; a router may take up to 1800 to renew (RFC 4861 section 6.2.1)."""

_NOWHERE = 1 << 33


@frozen
class Wish:
    """What the owner wants: of which interface, within which networks, and whether odd addresses may be published."""

    interface: str | None = None
    """None is the interface of the default route; any, where there is no such route."""
    within: tuple[Network, ...] = ()
    temporary: bool = False
    """Take privacy addresses as well."""
    internal: bool = False
    """Take addresses that the Internet cannot reach as well, if there is no other."""
    also_public: tuple[Network, ...] = ()
    """Networks that count as reachable, whatever the registries say."""


@frozen
class Choice:
    """The address, or why there is none, in words for the owner."""

    address: Address | None
    reason: str


def choose(snapshot: Snapshot, version: int, wish: Wish, current: Address | None = None) -> Choice:
    """Choose an address of IP version 4 or 6; `current` is the one that is published."""
    links = {link.index: link for link in snapshot.links}
    metrics = _metrics(snapshot, version)
    refused: list[str] = []
    candidates = []
    for one in snapshot.addresses:
        if one.address.version == version:
            why_not = _objection(one, links.get(one.index), wish, metrics)
            if why_not is None:
                candidates.append(one)
            elif why_not:
                refused.append(f"{one.address} is {why_not}")
    if not candidates:
        where = f" on {wish.interface}" if wish.interface else ""
        return Choice(None, f"no IPv{version} address{where} to publish" + "".join([f"; {why}" for why in refused[:5]]))
    ranked = sorted(candidates, key=lambda one: _rank(one, metrics, wish))
    best = _kept(ranked, metrics, wish, current) or ranked[0]
    return Choice(best.address, f"on {links[best.index].name}, {_described(best)}")


def _objection(one: InterfaceAddress, link: Link | None, wish: Wish, metrics: Mapping[int, int]) -> str | None:
    """Return why an address is out of the question; None if it is not, nothing if that goes without saying."""
    if link is None or (wish.interface is not None and link.name != wish.interface):
        return ""
    if wish.interface is None and link.flags & LINK_LOOPBACK:
        return ""
    if not can_be_assigned(one.address) or one.address.is_link_local or one.address.is_loopback:
        return ""
    if not link.is_up:
        return f"on {link.name}, which is down"
    if wish.interface is None and metrics and one.index not in metrics:
        return f"on {link.name}, which no default route goes through"
    if not one.is_usable:
        return "not usable yet, or a duplicate"
    if wish.within and not any(one.address in network for network in wish.within):
        return "outside of the networks that were asked for"
    if not wish.internal and not is_global(one.address, wish.also_public):
        return f"not reachable from the Internet ({describe(one.address) or 'special'})"
    if one.is_deprecated:
        return "deprecated"
    if one.is_temporary and not wish.temporary:
        return "temporary"
    return None


def _metrics(snapshot: Snapshot, version: int) -> Mapping[int, int]:
    """Return the priority of the best default route of each interface; the lowest number is the one in use."""
    found: dict[int, int] = {}
    for route in snapshot.routes:
        if route.is_default and route.destination.version == version:
            found[route.index] = min(route.priority, found.get(route.index, route.priority))
    return found


def _rank(one: InterfaceAddress, metrics: Mapping[int, int], wish: Wish) -> tuple[int, ...]:
    """Return what orders addresses, best first; the number of the address itself makes the order complete."""
    return (*_class(one, metrics, wish), -lasting(one.preferred), -lasting(one.valid), int(one.address))


def _class(one: InterfaceAddress, metrics: Mapping[int, int], wish: Wish) -> tuple[int, ...]:
    """Return what no stickiness may overrule: reachable, on the interface that leads out, and the first of it."""
    is_second = one.flags & TEMPORARY != 0  # on IPv4 the bit means "secondary"
    return (not is_global(one.address, wish.also_public), metrics.get(one.index, _NOWHERE), is_second)


def _kept(
    ranked: Sequence[InterfaceAddress], metrics: Mapping[int, int], wish: Wish, current: Address | None
) -> InterfaceAddress | None:
    """Return the published address if it is as good as the best one, but for a little lifetime."""
    best = ranked[0]
    for one in ranked:
        if one.address == current and _class(one, metrics, wish) == _class(best, metrics, wish):
            lead = lasting(best.preferred) - lasting(one.preferred)
            margin = min(max(lasting(best.preferred) // 2, LEAST_MARGIN), MOST_MARGIN)
            return one if lead <= margin or one.preferred is None else None
    return None


def _described(one: InterfaceAddress) -> str:
    words = ["temporary"] if one.is_temporary else ["stable"] if one.address.version == 6 else []
    words.append("for ever" if one.preferred is None else f"preferred for {one.preferred} s")
    return ", ".join(words)
