"""Names for a whole link: the group as the server knows it, and who is seen here -> what is to be set. Pure.

A name is set only to an address that its machine was seen at in this round (a fresh `Sight`), on a network of this
link, or that follows from its interface identifier as the owner set it and the prefix that is in use now. Everything
else keeps its name as it is: a machine that is absent is no news, and nothing is ever withdrawn. No sockets and no
clock here; `round.py` makes the round.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from homing.client.lan.neighbours import ANSWERED
from homing.client.lan.prefixes import objection, prefixes_of, with_room
from homing.client.lan.values import Kept, Member, Move, Plan
from homing.core.addresses import (
    complete,
    interface_identifier_from_mac,
    interface_identifier_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from homing.client.lan.leases import Lease
    from homing.client.lan.neighbours import OwnLink, Sight
    from homing.client.lan.values import Aim, Scene
    from homing.core.addresses import Address

MAX_ADDRESSES = 8
"""A MAC address with more IPv4 addresses than this answers for others (proxy ARP): none of them is believed."""

_LINK_LOCAL = IPv6Network("fe80::/64")


def plan(members: Sequence[Member], scene: Scene, aim: Aim) -> Plan:
    """Decide for each member of the group."""
    macs = macs_of(members, scene.leases)
    moves, kept = [], []
    for member in members:
        found = _decide(member, member.mac or macs.get(member.hostname), scene, aim)
        if isinstance(found, Move):
            moves.append(found)
        else:
            kept.append(Kept(member, found))
    return Plan(tuple(moves), tuple(kept))


def macs_of(members: Iterable[Member], leases: Iterable[Lease]) -> Mapping[str, str]:
    """Return the MAC address of each name: as the server has it, else of the lease whose name is its first label.

    A label that several machines, or several names, call their own says nothing.
    """
    members = list(members)
    known = {member.hostname: member.mac for member in members if member.mac}
    labels: dict[str, set[str]] = {}
    for lease in leases:
        if lease.hostname and lease.mac:
            labels.setdefault(lease.hostname, set()).add(lease.mac)
    asking: dict[str, set[str]] = {}
    for member in members:
        if member.hostname not in known:
            asking.setdefault(member.hostname.partition(".")[0], set()).add(member.hostname)
    for label, hostnames in asking.items():
        if len(hostnames) == 1 and len(labels.get(label, ())) == 1:
            known[next(iter(hostnames))] = next(iter(labels[label]))
    return known


def missing(members: Sequence[Member], scene: Scene, aim: Aim) -> tuple[tuple[Member, str], ...]:
    """Return the members that could be set, or set better, if their machines were seen; each with its MAC address."""
    macs = macs_of(members, scene.leases)
    found = []
    for member in members:
        mac = member.mac or macs.get(member.hostname)
        is_known = member.version == 6 and member.identifier is not None
        if mac is None or is_known or member.hostname in aim.own or member.is_locked:
            continue
        if _has_chance(member, scene, aim) and not _is_settled(member, mac, scene, aim):
            found.append((member, mac))
    return tuple(found)


def hints(member: Member, mac: str, scene: Scene, aim: Aim) -> tuple[tuple[str, Address], ...]:
    """Return where a machine may be, most likely first: (link, address)."""
    everyone = (*scene.sights, *scene.old)
    found: list[tuple[str, Address]] = [(one.link, one.address) for one in everyone if one.mac == mac]
    leased = [lease.address for lease in scene.leases if lease.mac == mac]
    for link in scene.links:
        here = [*leased, *([member.address] if member.address else []), *_guesses(member, mac, link, aim)]
        found += [(link.name, address) for address in here if link.holds(address)]
    return tuple(dict.fromkeys(one for one in found if one[1].version == member.version))


def _guesses(member: Member, mac: str, link: OwnLink, aim: Aim) -> list[Address]:
    """Return what IPv6 address it would make itself in each prefix (RFC 4862), or keep by hand behind a new one."""
    if member.version == 4:
        return []
    identifiers = [interface_identifier_from_mac(mac)]
    if isinstance(member.address, IPv6Address):
        identifiers.append(interface_identifier_of(member.address))
    prefixes = [_LINK_LOCAL] if aim.prefix else prefixes_of(member, link, aim)
    places = [(prefix, one) for one in identifiers for prefix in with_room(prefixes, one)]
    return [complete(prefix, one) for prefix, one in sorted(places, key=lambda place: prefixes.index(place[0]))]


# --- one member


def _decide(member: Member, mac: str | None, scene: Scene, aim: Aim) -> Move | str:
    """Return what it is to be set to, or why it is left as it is."""
    if member.hostname in aim.own:
        return "this machine's own name: `homing update` sets it"
    if member.is_locked:
        return "locked"
    if member.version == 6 and member.identifier is not None:
        return _by_identifier(member, member.identifier, scene, aim, "its interface identifier")
    if mac is None:
        return "no MAC address is known of it: homing host set NAME --mac-address"
    found = _finds(member, mac, scene, aim)
    if found:
        return found[0]
    if member.version == 6 and aim.eui64:
        return _by_identifier(member, interface_identifier_from_mac(mac), scene, aim, "the EUI-64 of its MAC address")
    return _why_not(member, mac, scene, aim)


def _by_identifier(member: Member, identifier: int, scene: Scene, aim: Aim, what: str) -> Move | str:
    prefixes = [aim.prefix] if aim.prefix else [one for link in scene.links for one in prefixes_of(member, link, aim)]
    fitting = with_room(prefixes, identifier)
    for prefix in fitting:
        address = complete(prefix, identifier)
        if objection(member, address, aim) is None:
            return Move(member, address, f"{what}, in {prefix}")
    if prefixes and not fitting:
        return f"{what} does not fit into {prefixes[0]}"
    return _no_prefix(member, scene, aim)


def _finds(member: Member, mac: str, scene: Scene, aim: Aim) -> list[Move]:
    """Return what it can be set to for having been seen there, best first."""
    if member.version == 6 and aim.prefix is not None:
        identifier = interface_identifier_from_mac(mac)
        if not any(one.mac == mac and _is_at(one.address, identifier) for one in scene.sights):
            return []
        found = _by_identifier(member, identifier, scene, aim, "the EUI-64 that it was seen with")
        return [found] if isinstance(found, Move) else []
    return [Move(member, one.address, f"{mac} was seen there on {one.link}") for one in _seen(member, mac, scene, aim)]


def _seen(member: Member, mac: str, scene: Scene, aim: Aim) -> list[Sight]:
    """Return where it was seen and may be set to, best first."""
    seen = _candidates(member, mac, scene)
    if member.version == 4 and len(seen) > MAX_ADDRESSES:
        return []
    allowed = [one for one in seen if objection(member, one.address, aim) is None]
    return sorted(allowed, key=_order(member, mac, scene, aim))


def _candidates(member: Member, mac: str, scene: Scene) -> list[Sight]:
    """Return where the machine is now, within networks of the link that are in use. Of two with one address neither."""
    links = {link.name: link for link in scene.links}
    twice = _disputed(scene)
    return [
        one
        for one in scene.sights
        if one.mac == mac
        and one.address.version == member.version
        and one.address not in twice
        and one.link in links
        and _is_in_use(one.address, links[one.link])
    ]


def _disputed(scene: Scene) -> set[Address]:
    owners: dict[Address, str] = {}
    return {one.address for one in scene.sights if owners.setdefault(one.address, one.mac) != one.mac}


def _order(member: Member, mac: str, scene: Scene, aim: Aim) -> Callable[[Sight], tuple[int, ...]]:
    """Order by prefix; then what the machine made of its MAC, where it answers, what it leased, what it has now."""
    identifier = interface_identifier_from_mac(mac)
    leased = {lease.address for lease in scene.leases if lease.mac == mac}
    networks = [(rank, one) for link in scene.links for rank, one in enumerate(prefixes_of(member, link, aim))]

    def key(one: Sight) -> tuple[int, ...]:
        return (
            min([rank for rank, network in networks if one.address in network], default=0),
            not _is_at(one.address, identifier),
            one.state != ANSWERED,
            one.address not in leased,
            one.address != member.address,
            one.state != "reachable",
            int(one.address),
        )

    return key


def _is_at(address: Address, identifier: int) -> bool:
    return isinstance(address, IPv6Address) and interface_identifier_of(address) == identifier


def _is_settled(member: Member, mac: str, scene: Scene, aim: Aim) -> bool:
    """Tell whether looking longer can find nothing better: it is where it should be, and nowhere else or it answers."""
    if member.version == 6 and aim.prefix is not None:
        return bool(_finds(member, mac, scene, aim))
    seen = _seen(member, mac, scene, aim)
    if not seen:
        return False
    best = seen[0]
    others = [one for one in scene.old if one.mac == mac and one.address.version == member.version]
    is_alone = len(seen) == 1 and all(one.address.is_link_local for one in others)
    is_sure = is_alone or best.state == ANSWERED or _is_at(best.address, interface_identifier_from_mac(mac))
    if member.version == 4:
        return is_sure
    firsts = [prefixes[0] for link in scene.links if (prefixes := prefixes_of(member, link, aim))]
    return is_sure and any(best.address in network for network in firsts)


def _has_chance(member: Member, scene: Scene, aim: Aim) -> bool:
    """Tell whether any address on these links would do for it."""
    if member.version == 6:
        return aim.prefix is not None or any(prefixes_of(member, link, aim) for link in scene.links)
    firsts = [network.network_address + 1 for link in scene.links for network in link.networks]
    return any(objection(member, address, aim) is None for address in firsts)


def _is_in_use(address: Address, link: OwnLink) -> bool:
    """Tell whether an address is in a network of its link that is not on its way out."""
    if address.is_link_local or address.is_loopback:
        return False
    if address.version == 4:
        return any(address in network for network in link.networks)
    return any(address in one.network for one in link.prefixes if not one.is_deprecated)


# --- why not


def _why_not(member: Member, mac: str, scene: Scene, aim: Aim) -> str:
    """Return why a machine whose MAC address is known cannot be set."""
    seen = _candidates(member, mac, scene)
    if member.version == 4 and len(seen) > MAX_ADDRESSES:
        return f"{mac} answers for {len(seen)} addresses"
    for one in seen:
        why_not = objection(member, one.address, aim)
        if why_not is not None:
            return why_not
    if any(one.mac == mac and one.address in _disputed(scene) for one in scene.sights):
        return "another machine has its address too"
    if not _has_chance(member, scene, aim):  # then nobody has looked for it
        return _no_prefix(member, scene, aim) if member.version == 6 else _no_network(member, scene, aim)
    where = ", ".join(link.name for link in scene.links) or "any link"
    return f"{mac} was not seen on {where} with an IPv{member.version} address that would do"


def _no_network(member: Member, scene: Scene, aim: Aim) -> str:
    """Return why no IPv4 network will do."""
    for network in [network for link in scene.links for network in link.networks]:
        if objection(member, network.network_address + 1, aim) is not None:
            return f"{network} is not global: homing host set NAME --allow-internal would allow it"
    return "this link has no IPv4 network"


def _no_prefix(member: Member, scene: Scene, aim: Aim) -> str:
    """Return why no prefix will do."""
    here = [one.network for link in scene.links for one in link.prefixes if not one.is_deprecated]
    for prefix in [aim.prefix] if aim.prefix else here:
        why_not = objection(member, prefix.network_address + 1, aim)
        if why_not is not None:
            return f"{prefix} is not global: homing host set NAME --allow-internal would allow it"
    return "this link has no IPv6 prefix in use"
