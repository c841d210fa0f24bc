"""DNS over UDP: one non-blocking socket that the event loop watches. What to answer is not decided here.

Reading in a row, without asyncio's transport, is what makes it fast; it works the same on asyncio and uvloop.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from homing.runtimes.dns_responder import Responder

_AT_ONCE = 64
"""Datagrams read before everything else on the loop gets its turn."""

_LONGEST = 4096
_RECEIVE_BUFFER = 1 << 20
_LINUX = sys.platform == "linux"
# Linux numbers of ip(7) that Python 3.11 has no names for.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT = 10, 23, 5
_PKTINFO = struct.Struct("@i4s4s")


class UdpListener:
    """Answers datagrams on one bound UDP socket, from `start` until `close`."""

    def __init__(self, sock: socket.socket, responder: Responder) -> None:
        self._sock = sock
        self._responder = responder
        self._loop: asyncio.AbstractEventLoop | None = None
        self._to_octets = _ipv4_octets if sock.family == socket.AF_INET else _ipv6_octets

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to answer."""
        self._loop = loop
        wildcard = ip_address(self._sock.getsockname()[0].partition("%")[0]).is_unspecified
        loop.add_reader(self._sock, self._drain_wildcard if wildcard and _LINUX else self._drain)

    def close(self) -> None:
        """Stop answering and close the socket."""
        if self._loop is not None:
            self._loop.remove_reader(self._sock)
        self._sock.close()

    def _drain(self) -> None:
        receive, send = self._sock.recvfrom, self._sock.sendto
        respond, to_octets, now = self._responder.respond_udp, self._to_octets, time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                wire, client = receive(_LONGEST)
            except BlockingIOError:
                return
            except OSError:  # what ICMP said about an earlier answer
                continue
            response = respond(wire, to_octets(client[0]), now)
            if response is not None:
                # A full send buffer, or nowhere to send to: the answer is lost, as UDP may, and nobody waits for it.
                with suppress(OSError):
                    send(response, client)

    def _drain_wildcard(self) -> None:
        """Do as `_drain`, and answer from the address that was asked, which the kernel tells and is told."""
        now = time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                wire, control, _flags, client = self._sock.recvmsg(_LONGEST, 256)
            except BlockingIOError:
                return
            except OSError:  # as above
                continue
            response = self._responder.respond_udp(wire, self._to_octets(client[0]), now)
            if response is not None:
                with suppress(OSError):
                    self._sock.sendmsg([response], _to_source(control), 0, client)


def open_udp(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """Return a bound, non-blocking socket. Raises OSError."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        _prepare(sock, family)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _prepare(sock: socket.socket, family: socket.AddressFamily) -> None:
    sock.settimeout(0)
    with suppress(OSError):  # a smaller buffer loses more of a burst, nothing else
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if not _LINUX:
        return
    # Forged "packet too big" messages must not make the kernel cut answers into fragments (RFC 9715 section 3.1).
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)


def _to_source(control: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Turn "it came to this address" into "send it from this address"."""
    found = []
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            _, local, _ = _PKTINFO.unpack(data)
            found.append((level, kind, _PKTINFO.pack(0, local, bytes(4))))  # 0: let routing choose the interface
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            found.append((level, kind, data))
    return found


def _ipv4_octets(host: str) -> bytes:
    return socket.inet_aton(host)


def _ipv6_octets(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
