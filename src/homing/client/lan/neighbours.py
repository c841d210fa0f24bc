"""Who is on this link: the machine's own networks, and its neighbour tables, as the kernel holds them now.

On Linux over netlink; elsewhere from `ifconfig`, `arp` and `ndp`, whose texts `neighbour_texts.py` reads. What is
returned is of the chosen links only: an address outside of a link's own networks, an entry without a MAC address, one
that has failed, one that is not yet resolved, and an address that two MAC addresses claim are left out. Whether an
entry is recent is in its state; nothing here decides what to believe.
"""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Protocol

from homing.client.lan.neighbour_texts import parse_arp, parse_default_route, parse_ifconfig, parse_ndp
from homing.client.netlink import Tables, is_available
from homing.client.netlink_values import (
    UNICAST_ROUTE,
    InterfaceAddress,
    Link,
    Neighbour,
    Route,
    Snapshot,
    lasting,
)
from homing.core.addresses import parse_mac
from homing.core.errors import InvalidAddress, InvalidInput
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from homing.core.addresses import Address

RESOLVED = ("reachable", "stale", "delay", "probe", "permanent")
"""States of a neighbour whose MAC address is known; only the first says that it was there a moment ago."""
ANSWERED = "answered"
"""The state of a sight whose machine answered a probe of ours, which no table tells."""
_PROGRAM_SECONDS = 10


@frozen
class OwnPrefix:
    """An IPv6 network of a link of ours; `preferred` is in seconds, None is for ever."""

    network: IPv6Network
    preferred: int | None = None
    is_deprecated: bool = False


@frozen
class OwnLink:
    """An interface of this machine with the networks that are on it."""

    name: str
    mac: str | None
    networks: tuple[IPv4Network, ...] = ()
    prefixes: tuple[OwnPrefix, ...] = ()
    """The one that will be preferred longest first; link-local ones are not told."""
    addresses: tuple[Address, ...] = ()
    """Its own addresses, whatever their state."""
    sources: tuple[Address, ...] = ()
    """Those of them that are stable and in use."""

    def holds(self, address: Address) -> bool:
        """Tell whether an address is of this link, and not this machine's own."""
        if address in self.addresses:
            return False
        if address.version == 4:
            return any(address in one and _is_of_host(address, one) for one in self.networks)
        return address.is_link_local or any(address in one.network for one in self.prefixes)


@frozen
class Sight:
    """An address with the MAC address that it was resolved to, on one link."""

    link: str
    address: Address
    mac: str
    state: str = "reachable"


@frozen
class Reading:
    """The links that count, and who is on them."""

    links: tuple[OwnLink, ...]
    sights: tuple[Sight, ...] = ()
    unresolved: int = 0
    """Addresses that the kernel is asking for and has no answer about yet; its table has room for about a thousand."""

    @property
    def own_sights(self) -> tuple[Sight, ...]:
        """This machine itself, as its neighbours see it: a name may belong to another interface of it."""
        return tuple([Sight(one.name, address, one.mac) for one in self.links if one.mac for address in one.sources])


class Reader(Protocol):
    """Reads the tables of this machine, again and again."""

    def read(self) -> Reading:
        """Return what they hold now. Raises InvalidInput for an interface that is not there, OSError otherwise."""

    def close(self) -> None:
        """Give back what it holds."""


def open_reader(names: Sequence[str] = ()) -> Reader:
    """Return a reader of these interfaces; of the one with the default route if none is named."""
    return NetlinkReader(names) if is_available() else ProgramReader(names)


def read_snapshot() -> Snapshot:
    """Return this machine's links, addresses and routes; of those only the IPv4 default elsewhere than on Linux.

    Raises OSError.
    """
    if is_available():
        with Tables() as tables:
            return tables.snapshot()
    return _told_by_programs()


class NetlinkReader:
    """Reads the kernel's tables themselves (Linux)."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = names
        self._tables = Tables()

    def read(self) -> Reading:
        """Return what the tables hold now."""
        return make_reading(self._tables.snapshot(), self._tables.neighbours(), self._names)

    def close(self) -> None:
        """Close the socket."""
        self._tables.close()


class ProgramReader:
    """Reads what `ifconfig`, `arp` and `ndp` print (BSD, macOS; Linux where netlink is forbidden)."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)

    def read(self) -> Reading:
        """Return what the programs say now."""
        snapshot = _told_by_programs()
        numbers = {link.name: link.index for link in snapshot.links}
        told = [*parse_arp(_output("arp", "-an")), *parse_ndp(_output("ndp", "-an", is_needed=False))]
        found = [Neighbour(numbers[one.link], one.address, one.mac, one.state) for one in told if one.link in numbers]
        return make_reading(snapshot, found, self._names)

    def close(self) -> None:
        """Nothing is held."""


def make_reading(snapshot: Snapshot, neighbours: Iterable[Neighbour], names: Sequence[str] = ()) -> Reading:
    """Return what of the tables is of the chosen links. Raises InvalidInput for an interface that is not there."""
    chosen = _choose(snapshot, names)
    links = {index: own_link(link, snapshot) for index, link in chosen.items()}
    sights: dict[tuple[str, Address], Sight] = {}
    disputed: set[tuple[str, Address]] = set()
    unresolved = 0
    for one in neighbours:
        unresolved += one.state == "incomplete"
        own, mac = links.get(one.index), _host_mac(one.mac)
        if own is not None and mac is not None and one.state in RESOLVED and own.holds(one.address):
            place = (own.name, one.address)
            before = sights.get(place)
            if before is not None and before.mac != mac:
                disputed.add(place)
            if before is None or one.state == "reachable":
                sights[place] = Sight(own.name, one.address, mac, one.state)
    certain = [sight for place, sight in sights.items() if place not in disputed]
    return Reading(tuple(links.values()), tuple(certain), unresolved)


def own_link(link: Link, snapshot: Snapshot) -> OwnLink:
    """Return a link with the networks of its addresses, and the IPv6 prefixes that its routes say are on it."""
    mine = [one for one in snapshot.addresses if one.index == link.index]
    usable = [one for one in mine if one.is_usable]
    four = {_network4(one) for one in usable if one.address.version == 4 and one.prefix_length <= 30}
    prefixes = {**_routed(link, snapshot.routes, usable), **_assigned(usable)}
    ranked = sorted(prefixes.values(), key=lambda one: (one.is_deprecated, -lasting(one.preferred), one.network))
    stable = [one.address for one in usable if not one.is_deprecated and not one.is_temporary]
    return OwnLink(
        name=link.name,
        mac=_host_mac(link.mac),
        networks=tuple(sorted(four)),
        prefixes=tuple(ranked),
        addresses=tuple([one.address for one in mine]),
        sources=tuple(stable),
    )


def _choose(snapshot: Snapshot, names: Sequence[str]) -> dict[int, Link]:
    by_name = {link.name: link for link in snapshot.links}
    for name in names:
        if name not in by_name:
            known = ", ".join(sorted(link.name for link in snapshot.links if not link.is_loopback))
            raise InvalidInput(f"there is no interface {name[:40]!r}; there is {known or 'none'}")
    if names:
        return {by_name[name].index: by_name[name] for name in names}
    links = {link.index: link for link in snapshot.links if link.is_up and not link.is_loopback}
    ways = [one for one in snapshot.routes if one.is_default and one.gateway is not None and one.index in links]
    if not ways:
        raise InvalidInput("there is no default route to tell which link is meant: name it with --interface")
    best = min(ways, key=lambda one: (one.destination.version, one.priority))
    return {best.index: links[best.index]}


def _assigned(addresses: Sequence[InterfaceAddress]) -> dict[IPv6Network, OwnPrefix]:
    """Return the networks of addresses."""
    speaking = [one for one in addresses if _speaks(one) and one.prefix_length <= 126]
    return {network: _as_told(network, speaking) for network in map(_network6, speaking)}


def _routed(link: Link, routes: Sequence[Route], addresses: Sequence[InterfaceAddress]) -> dict[IPv6Network, OwnPrefix]:
    """Return the prefixes that are on the link by its routes: an address from DHCPv6 says nothing of its network."""
    speaking = [one for one in addresses if _speaks(one)]
    found = {}
    for one in routes:
        network = one.destination
        is_on_link = one.index == link.index and one.gateway is None and one.kind == UNICAST_ROUTE
        if is_on_link and network.version == 6 and 16 <= network.prefixlen <= 126 and not _is_special(network):
            found[network] = _as_told(network, speaking)
    return found


def _as_told(network: IPv6Network, addresses: Sequence[InterfaceAddress]) -> OwnPrefix:
    """Return a prefix as our addresses in it tell: the one that will be preferred longest speaks for it."""
    inside = [OwnPrefix(network, one.preferred, one.is_deprecated) for one in addresses if one.address in network]
    ranked = sorted(inside, key=lambda one: (one.is_deprecated, -lasting(one.preferred)))
    return ranked[0] if ranked else OwnPrefix(network)


def _speaks(one: InterfaceAddress) -> bool:
    """Tell whether an address tells something of its network's life; a privacy address has one of its own."""
    return one.address.version == 6 and not one.address.is_link_local and not one.is_temporary


def _is_special(network: IPv6Network) -> bool:
    return network.is_link_local or network.is_multicast or network.is_loopback


def _network4(one: InterfaceAddress) -> IPv4Network:
    return IPv4Network((int(one.address), one.prefix_length), strict=False)


def _network6(one: InterfaceAddress) -> IPv6Network:
    return IPv6Network((int(one.address), one.prefix_length), strict=False)


def _is_of_host(address: Address, network: IPv4Network) -> bool:
    return address not in (network.network_address, network.broadcast_address)


def _host_mac(text: str | None) -> str | None:
    """Return a MAC address that one machine can have: not a group's, and not all zeros."""
    try:
        mac = parse_mac(text or "")
    except InvalidAddress:
        return None
    return None if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00" else mac


def _told_by_programs() -> Snapshot:
    """Return what `ifconfig` and `route` print. Raises OSError where there is no `ifconfig`."""
    snapshot = parse_ifconfig(_output("ifconfig", "-a"))
    return parse_default_route(_output("route", "-n", "get", "default", is_needed=False), snapshot)


def _output(*command: str, is_needed: bool = True) -> str:
    """Return what a program prints. Raises OSError if it is needed and cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROGRAM_SECONDS, check=False)  # noqa: S603 - fixed words
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{command[0]} does not end") from None
    except FileNotFoundError:
        if is_needed:
            raise
        return ""
    return done.stdout.decode("utf-8", "replace")
