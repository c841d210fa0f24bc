"""The embedded DNS server: UDP and TCP sockets on a running event loop, answering from zones in memory.

    server = DnsServer(zones, [("127.0.0.1", 5353), ("::1", 5353)])
    await server.start()
    ...
    await server.stop()

The zones may be changed from another thread meanwhile; see `core.zone`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from homing.core.response_rate import RatePolicy
from homing.runtimes.dns_responder import Counters, Responder
from homing.runtimes.dns_tcp import TcpConnection, TcpConnections, TcpPolicy
from homing.runtimes.dns_udp import UdpListener, open_udp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.protocols.dns_query import ZoneFinder

_BACKLOG = 512
_ATTEMPTS = 20
"""How often a port that the kernel chose for UDP may turn out to be taken for TCP."""


class DnsServer:
    """Answers on every address of `listen`: pairs of an IP address and a port; port 0 takes any free one."""

    def __init__(
        self,
        zones: ZoneFinder,
        listen: Sequence[tuple[str, int]],
        *,
        rate: RatePolicy | None = None,
        tcp: TcpPolicy | None = None,
    ) -> None:
        self._listen = tuple(listen)
        self._responder = Responder(zones, rate or RatePolicy())
        self._connections = TcpConnections(self._responder, tcp or TcpPolicy())
        self._udp: list[UdpListener] = []
        self._tcp: list[asyncio.Server] = []
        self._addresses: list[tuple[str, int]] = []

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound, in the order of `listen`; UDP and TCP have the same."""
        return tuple(self._addresses)

    @property
    def counters(self) -> Counters:
        """What has happened since the start."""
        return self._responder.counters

    @property
    def connections(self) -> int:
        """How many TCP connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Bind every address and begin to answer. Raises OSError, and leaves nothing open, when one cannot be had."""
        with ExitStack() as opened:
            pairs = []
            for host, port in self._listen:
                try:
                    pair = _open_pair(host, port)
                except OSError as error:
                    error.filename = f"{host} port {port}"
                    raise
                pairs.append(pair)
                for sock in pair:
                    opened.callback(sock.close)
            for udp, tcp in pairs:
                await self._serve(udp, tcp)
            opened.pop_all()

    async def stop(self) -> None:
        """Stop answering, cut the TCP connections, and close the sockets."""
        for listener in self._udp:
            listener.close()
        for server in self._tcp:
            server.close()
        self._connections.close()
        for server in self._tcp:
            await server.wait_closed()
        self._udp, self._tcp, self._addresses = [], [], []

    async def _serve(self, udp: socket.socket, tcp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._tcp.append(await loop.create_server(lambda: TcpConnection(self._connections), sock=tcp, backlog=_BACKLOG))
        listener = UdpListener(udp, self._responder)
        listener.start(loop)
        self._udp.append(listener)
        self._addresses.append(udp.getsockname()[:2])


def _open_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket on the same port."""
    family, *_, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    )[0]
    for attempt in range(_ATTEMPTS):
        udp = open_udp(family, address)
        try:
            return udp, _open_tcp(family, (address[0], udp.getsockname()[1], *address[2:]))
        except OSError as error:
            udp.close()
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _open_tcp(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)  # here already: a port may prove taken only now
    except OSError:
        sock.close()
        raise
    return sock
