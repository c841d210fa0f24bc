"""What `arp -an`, `ndp -an`, `ifconfig -a` and `route -n get default` print, as values. Pure, and it never raises.

The words are those of macOS, FreeBSD, NetBSD, OpenBSD (whose `arp` prints a table, as `ndp` does) and net-tools on
Linux. A line that says something else is left out.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import TYPE_CHECKING

from homing.client.netlink_values import (
    DAD_FAILED,
    DEPRECATED,
    LINK_CARRIER,
    LINK_LOOPBACK,
    LINK_UP,
    TEMPORARY,
    TENTATIVE,
    InterfaceAddress,
    Link,
    Route,
    Snapshot,
)
from homing.client.texts import get_address, get_mac
from homing.core.values import frozen, replace

if TYPE_CHECKING:
    from homing.core.addresses import Address

_ARP = re.compile(r"\S+ \(([0-9.]+)\) at (\S+)((?: .*?)?) on (\S+)(.*)")
_EXPIRES = re.compile(r"expires in ([0-9]{1,6}) seconds")
_ARP_LIFE, _ARP_RECENT = 1200, 30
"""Seconds: how long FreeBSD keeps an entry after it was confirmed, and how old one may be that counts as confirmed."""
_ROW_LIFE = re.compile(r"permanent|(?:[0-9]{1,6}[dhms]){1,4}")
_NDP_STATES = {"R": "reachable", "S": "stale", "D": "delay", "P": "probe", "I": "incomplete"}
_INTERFACE = re.compile(r"([^\s:]+):? .*?flags=[0-9a-fA-F]+<([A-Z0-9_,]*)>.*")
_SAID = re.compile(r"^[ \t]*+(interface|gateway): (\S++)$", re.MULTILINE)
_LINK_WORDS = {"UP": LINK_UP, "RUNNING": LINK_CARRIER, "LOOPBACK": LINK_LOOPBACK}
_ADDRESS_WORDS = {
    "temporary": TEMPORARY, "deprecated": DEPRECATED, "tentative": TENTATIVE, "duplicated": DAD_FAILED,
    "detached": DEPRECATED,
}  # fmt: skip


@frozen
class Told:
    """A neighbour as a program tells it."""

    link: str
    address: Address
    mac: str
    state: str


def parse_arp(text: str) -> tuple[Told, ...]:
    """Return what `arp -an` prints. Only FreeBSD tells how old an entry is; elsewhere none counts as confirmed.

    OpenBSD prints when an entry expires as well, and lets a new one live as long as one that was confirmed.
    """
    found = []
    for line in text.splitlines():
        if row := _parse_row(line.split()):
            found.append(row)
            continue
        said = _ARP.fullmatch(line.strip())
        mac = get_mac(said[2]) if said else None
        address = get_address(said[1]) if said else None
        if said is None or mac is None or address is None:
            continue
        words = f"{said[3]} {said[5]}"
        left = _EXPIRES.search(words)
        state = "permanent" if "PERM" in words or "permanent" in words else "stale"
        if left and int(left[1]) >= _ARP_LIFE - _ARP_RECENT:
            state = "reachable"
        found.append(Told(said[4], address, mac, state))
    return tuple(found)


def _parse_row(words: list[str]) -> Told | None:
    """Return a row of OpenBSD's table: address, MAC, interface, expiry, flags."""
    if len(words) < 4 or not _ROW_LIFE.fullmatch(words[3]):
        return None
    address, mac = get_address(words[0]), get_mac(words[1])
    if address is None or mac is None or address.version == 6:
        return None
    return Told(words[2], address, mac, "permanent" if words[3] == "permanent" else "stale")


def parse_ndp(text: str) -> tuple[Told, ...]:
    """Return what `ndp -an` prints: address, MAC, interface, expiry, state, flags."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        address, mac = get_address(words[0].partition("%")[0]), get_mac(words[1])
        if address is None or mac is None:
            continue
        letter = "" if words[3] == "permanent" else words[4] if len(words) > 4 else "?"
        state = _NDP_STATES.get(letter, "none") if letter else "permanent"
        found.append(Told(words[2], address, mac, state))
    return tuple(found)


def parse_ifconfig(text: str) -> Snapshot:
    """Return the interfaces and addresses that `ifconfig -a` prints; numbered as they come, and without routes."""
    links: list[Link] = []
    addresses: list[InterfaceAddress] = []
    for line in text.splitlines():
        words = line.split()
        if said := _INTERFACE.fullmatch(line):
            flags = sum(number for word, number in _LINK_WORDS.items() if word in said[2].split(","))
            links.append(Link(len(links) + 1, said[1], None, flags))
        elif line[:1].isspace() and links and len(words) >= 2:
            last = links[-1]
            if words[0] in ("ether", "lladdr", "address:") and (mac := get_mac(words[1])):
                links[-1] = Link(last.index, last.name, mac, last.flags)
            elif words[0] in ("inet", "inet6") and (own := _own_address(last.index, words)):
                addresses.append(own)
    return Snapshot(tuple(links), tuple(addresses), ())


def parse_default_route(text: str, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with the way that `route -n get default` prints, if it prints one: of IPv4, by a gateway."""
    said = dict(_SAID.findall(text))
    gateway = get_address(said.get("gateway", ""))
    index = next((link.index for link in snapshot.links if link.name == said.get("interface")), None)
    if index is None or gateway is None or gateway.version == 6:
        return snapshot
    return replace(snapshot, routes=(Route(IPv4Network("0.0.0.0/0"), index, gateway),))


def _own_address(index: int, words: list[str]) -> InterfaceAddress | None:
    address = get_address(words[1].partition("%")[0])
    length = _length(words)
    if address is None or length is None or length > address.max_prefixlen:
        return None
    flags = sum(number for number in {_ADDRESS_WORDS[word] for word in words[2:] if word in _ADDRESS_WORDS})
    return InterfaceAddress(index, address, length, flags)


def _length(words: list[str]) -> int | None:
    """Return a prefix length, written as such or as a mask: `0xffffff00`, `255.255.255.0`."""
    said = dict(pairwise(words[2:]))
    if "prefixlen" in said:
        return int(said["prefixlen"]) if re.fullmatch(r"[0-9]{1,3}", said["prefixlen"]) else None
    mask = said.get("netmask", "")
    try:
        text = str(IPv4Address(int(mask, 16))) if mask.startswith("0x") else mask
        return IPv4Network(f"0.0.0.0/{text}").prefixlen if text else None
    except ValueError:
        return None
