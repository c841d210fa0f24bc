"""Listening sockets: bind, accept, count, hand over. Nothing about HTTP.

The server accepts by itself, since asyncio's own server would start a TLS handshake before anybody could count the
connection, and would wait a minute for it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.core.addresses import Address, parse_address
from homing.core.errors import InvalidAddress, InvalidSettings
from homing.runtimes.access_log import log_crash

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from homing.runtimes.http_limits import ConnectionCount, HttpLimits
    from homing.runtimes.tls import Certificate

_log = logging.getLogger("homing.http")

_QUEUE = 2048  # connections that the kernel holds for us; it caps the number itself
_BATCH = 64  # accepted in one turn of the loop, so that open connections get theirs
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_PAUSE = 0.2
_WARNING_INTERVAL = 10.0
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """Where the server really listens: port 0 has become a port."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """What every listener shares: who may come in, and what a connection is given to."""

    limits: HttpLimits
    count: ConnectionCount
    protocol: Callable[[Address], asyncio.Protocol]
    """Makes the protocol of a connection from that address; it releases the address when the connection is lost."""


def bind_all(addresses: Sequence[tuple[str, int, bool]]) -> list[tuple[socket.socket, bool]]:
    """Return a listening socket, and whether it speaks TLS, for each (host, port, TLS); a name gives all its addresses.

    `::` is IPv6 only, on every system: give `0.0.0.0` beside it. Raises InvalidSettings with every problem at once.
    """
    sockets: list[tuple[socket.socket, bool]] = []
    problems: list[str] = []
    for host, port, tls in addresses:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
                sockets.append((_bind(family, address), tls))
        except OSError as error:
            problems.append(f"cannot listen on {host} port {port}: {error.strerror or error}")
    if problems:
        for sock, _ in sockets:
            sock.close()
        raise InvalidSettings(problems)
    return sockets


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        sock.bind(address)
        sock.listen(_QUEUE)
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """Accepts on one socket. `close` and `wait_closed` are those of asyncio's server, which uvicorn calls."""

    def __init__(self, sock: socket.socket, certificate: Certificate | None, admission: Admission) -> None:
        self._socket = sock
        self._certificate = certificate
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resume: asyncio.TimerHandle | None = None
        self._quiet_until = 0.0
        host, port = sock.getsockname()[:2]
        self.address = BoundAddress(host, port, tls=certificate is not None)
        self._listen()

    def close(self) -> None:
        """Stop accepting. What has been accepted goes on."""
        if self._resume is not None:
            self._resume.cancel()
        if self._socket.fileno() != -1:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    async def drain(self, seconds: float) -> None:
        """Wait until every accepted connection has its protocol; give up the handshakes that take longer."""
        if self._tasks:
            _, stalled = await asyncio.wait(self._tasks, timeout=seconds)
            for task in stalled:
                task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing is on its way from the socket to a protocol."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self) -> None:
        self._resume = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                connection, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._admit(connection, address[0])

    def _pause(self, error: OSError) -> None:
        # Out of file descriptors: the socket stays readable, so the loop would spin.
        if error.errno not in _EXHAUSTED:
            raise error
        self._warn(f"cannot accept connections: {os.strerror(error.errno or 0)}")
        self._loop.remove_reader(self._socket)
        self._resume = self._loop.call_later(_EXHAUSTED_PAUSE, self._listen)

    def _admit(self, connection: socket.socket, host: str) -> None:
        try:
            peer = parse_address(host.partition("%")[0])
        except InvalidAddress:
            connection.close()
            return
        if not self._admission.count.admit(peer):
            connection.close()
            self._warn(f"too many connections ({self._admission.count.total} open), refused one from {peer}")
            return
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        task = self._loop.create_task(self._connect(connection, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket, peer: Address) -> None:
        """Give the connection its protocol, after the handshake if there is TLS."""
        limits = self._admission.limits
        context: ssl.SSLContext | None = self._certificate.context if self._certificate else None
        protocol = self._admission.protocol(peer)
        try:
            # uvicorn writes an answer's head and body apart: with Nagle's algorithm the body waits 40 ms for an ACK.
            # asyncio switches it off by itself only where the socket was made with an explicit protocol number.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _USER_TIMEOUT is not None:
                connection.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(limits.write_timeout * 1000))
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=limits.header_timeout if context else None,
                ssl_shutdown_timeout=limits.linger_timeout if context else None,
            )
        except OSError:
            pass  # lost, not TLS or too slow; ssl.SSLError and TimeoutError are OSErrors
        except Exception as error:
            log_crash(_log, "a connection could not be set up", error)
        finally:
            if getattr(protocol, "transport", None) is None:  # else its connection_lost does this
                self._admission.count.release(peer)
                connection.close()

    def _warn(self, text: str) -> None:
        now = self._loop.time()
        if now >= self._quiet_until:
            self._quiet_until = now + _WARNING_INTERVAL
            _log.warning("%s", text)
