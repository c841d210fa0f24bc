"""Probes that make the kernel ask who has an address, and machines show that they are there. No privilege is needed.

A datagram to the discard port (RFC 863) of an address makes the kernel resolve it (ARP, or neighbour solicitation).
Where it holds an entry that is old, the datagram goes to the MAC address in that entry; a machine that answers "port
unreachable" has thereby shown that this address is still at that MAC. Nothing leaves the link: the routing table is not
asked, and no router would pass a datagram with a hop limit of one.

For IPv6, whose networks nobody can search, all nodes are asked: by an echo request (RFC 4443) where this process may
send one, and by a question to all that speak multicast DNS (RFC 6762). Whoever answers has its address told by that.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Self

from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from homing.client.lan.neighbours import OwnLink
    from homing.core.addresses import Address

DISCARD = 9
MAX_SOCKETS = 800
"""So many probes wait for an answer at once, if the process may have so many descriptors; select(2) takes 1,024."""
SPARE = 100
"""Descriptors that are left to the rest of the process."""
MAX_BITS = 10
"""A larger network than a /22 is searched around this machine's own address only."""

_ALL_NODES, _ALL_MDNS, _MDNS_PORT = "ff02::1", "ff02::fb", 5353
_ECHO = struct.pack("!BBHHH", 128, 0, 0, 0x484F, 1) + b"homing"
_SERVICES = (
    struct.pack("!6H", 0, 0, 1, 0, 0, 0)
    + b"".join(bytes([len(label)]) + label for label in (b"_services", b"_dns-sd", b"_udp", b"local", b""))
    + struct.pack("!HH", 12, 1)
)
"""PTR of `_services._dns-sd._udp.local`; asked from another port than 5353, it is answered to us alone."""


class Prober:
    """Sends probes, and collects who answered. Never raises for an address that cannot be reached."""

    def __init__(self) -> None:
        self._most = _most_sockets()
        self._asked: dict[tuple[str, Address], socket.socket] = {}
        self._sweeps: dict[str, socket.socket] = {}
        self._calls: list[tuple[str, socket.socket]] = []
        self.answered: set[tuple[str, Address]] = set()
        """Addresses that answered a probe of their own."""
        self.heard: set[tuple[str, Address]] = set()
        """Addresses that answered a call to all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket."""
        for one in (*self._asked.values(), *self._sweeps.values(), *(opened for _, opened in self._calls)):
            one.close()
        self._asked, self._sweeps, self._calls = {}, {}, []

    def ask(self, link: str, address: Address) -> None:
        """Probe one address of a link, and wait for its answer from now on."""
        old = self._asked.pop((link, address), None)
        if old is None and len(self._asked) >= self._most:
            self.wait(0.0)  # who has answered makes room
        if old is None and len(self._asked) >= self._most:
            old = self._asked.pop(next(iter(self._asked)))
        if old is not None:
            old.close()
        with contextlib.suppress(OSError):
            opened = _open(address.version, link)
            self._asked[link, address] = opened
            opened.connect(_place(address, DISCARD, link))
            opened.send(b"")

    def touch(self, link: str, address: Address) -> None:
        """Have the kernel look for one address; an answer to the datagram itself is not waited for."""
        with contextlib.suppress(OSError):
            if link not in self._sweeps:
                self._sweeps[link] = _open(4, link)
            self._sweeps[link].sendto(b"", _place(address, DISCARD, link))

    def call_all(self, link: OwnLink) -> None:
        """Ask every IPv6 machine of a link to answer: to each of our own addresses, so that it does from its own."""
        for source in (*link.sources, None):
            if source is None or source.version == 6:
                with contextlib.suppress(OSError):
                    self._call(link.name, _open_echo(), source, (_ALL_NODES, 0), _ECHO)
        with contextlib.suppress(OSError):
            self._call(link.name, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), None, (_ALL_MDNS, _MDNS_PORT),
                       _SERVICES)  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Collect answers for so long."""
        waiting = [*self._asked.values(), *(opened for _, opened in self._calls)]
        readable = set(select.select(waiting, [], [], seconds)[0])
        for (link, address), opened in list(self._asked.items()):
            if opened in readable and _is_answer(opened):
                self.answered.add((link, address))
                self._asked.pop((link, address)).close()
        for link, opened in self._calls:
            if opened in readable:
                self.heard |= {(link, address) for address in _senders(opened)}

    def _call(self, link: str, opened: socket.socket, source: Address | None, to: tuple[str, int], data: bytes) -> None:
        self._calls.append((link, opened))
        index = socket.if_nametoindex(link)
        opened.settimeout(0)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)  # RFC 6762 section 11
        if source is not None:
            opened.bind((str(source), 0, 0, index if source.is_link_local else 0))
        opened.sendto(data, (*to, 0, index))


def search(link: OwnLink, known: Collection[Address] = ()) -> Iterator[Address]:
    """Return the IPv4 addresses of a link that a machine may have, but for its own and those known already."""
    for network in link.networks:
        around = network
        if network.max_prefixlen - network.prefixlen > MAX_BITS:
            own = next((one for one in link.addresses if one in network), network.network_address)
            around = IPv4Network((int(own), 32 - MAX_BITS), strict=False)
        for address in around.hosts():
            if address not in known and link.holds(address):
                yield address


def _most_sockets() -> int:
    """Return how many probes may wait at once: macOS gives a process 256 descriptors, Linux 1,024."""
    try:
        import resource
    except ImportError:  # Windows, where select takes 512
        return 512 - SPARE
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_SOCKETS if limit == resource.RLIM_INFINITY else max(1, min(MAX_SOCKETS, limit - SPARE))


def _open(version: int, link: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    opened.settimeout(0)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
    if version == 4:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    else:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
    if hasattr(socket, "SO_BINDTODEVICE"):
        with contextlib.suppress(OSError):  # free for everybody since Linux 5.7
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode() + b"\0")
    return opened


def _open_echo() -> socket.socket:
    """Return a socket for echo requests: Linux has one for everybody (`ping_group_range`), else root has one."""
    try:
        return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
    except OSError:
        return socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


def _place(address: Address, port: int, link: str) -> tuple[str, int] | tuple[str, int, int, int]:
    if address.version == 4:
        return str(address), port
    return str(address), port, 0, socket.if_nametoindex(link) if address.is_link_local else 0


def _is_answer(opened: socket.socket) -> bool:
    """Tell whether the machine itself answered: with "port unreachable", or with data."""
    try:
        opened.recv(512)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # "host unreachable", which says the kernel
    return True


def _senders(opened: socket.socket) -> Iterator[Address]:
    for _ in range(1000):
        try:
            sender = opened.recvfrom(2048)[1]
        except OSError:
            return
        with contextlib.suppress(InvalidAddress):
            yield parse_address(str(sender[0]).partition("%")[0])
