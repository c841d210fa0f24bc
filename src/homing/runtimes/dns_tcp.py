"""DNS over TCP (RFC 7766): framing, pipelining, and the limits that keep slow or many clients harmless.

What to answer is not decided here. Answers are made in order, a few at a time, so that UDP gets its turn in between.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from homing.runtimes.dns_responder import Responder

_AT_ONCE = 16
"""Messages answered before everything else on the loop gets its turn."""

_WRITE_BUFFER = 1 << 16
"""Octets of unread answers, per connection, beyond which nothing more is read or answered."""

_IPV4_PREFIX, _IPV6_PREFIX = 4, 7
"""Octets of an address that count as one client: /32 and /56."""


@dataclass(frozen=True, slots=True)
class TcpPolicy:
    """Limits. `message` and `idle` are in seconds: for a whole message from its first octet, and between messages.

    `per_client` and `total` are numbers of open connections. Beyond the first, new ones are closed; beyond the second
    the one that has been idle longest gives way.
    """

    message: float = 0.5
    idle: float = 10.0
    per_client: int = 20
    total: int = 1000


class TcpConnections:
    """All open connections of one server: admission and eviction."""

    def __init__(self, responder: Responder, policy: TcpPolicy) -> None:
        self.responder = responder
        self.policy = policy
        self._open: dict[TcpConnection, bytes] = {}
        self._idle: dict[TcpConnection, None] = {}
        self._per_client: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: TcpConnection, client: bytes) -> bool:
        """Count a new connection in, or say no."""
        if self._per_client.get(client, 0) >= self.policy.per_client:
            return False
        if len(self._open) >= self.policy.total and not self._evict():
            return False
        self._open[connection] = client
        self._per_client[client] = self._per_client.get(client, 0) + 1
        return True

    def leave(self, connection: TcpConnection) -> None:
        """Count a connection out; one that was never admitted, or has left, does no harm."""
        self._idle.pop(connection, None)
        client = self._open.pop(connection, None)
        if client is not None:
            self._per_client[client] -= 1
            if not self._per_client[client]:
                del self._per_client[client]

    def mark_idle(self, connection: TcpConnection, *, idle: bool) -> None:
        """Note whether a connection is between messages; the one that has been so longest is evicted first."""
        self._idle.pop(connection, None)
        if idle and connection in self._open:
            self._idle[connection] = None

    def close(self) -> None:
        """Cut every connection."""
        for connection in tuple(self._open):
            connection.abort()

    def _evict(self) -> bool:
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        oldest.abort()
        return True


class TcpConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, connections: TcpConnections) -> None:
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._deadline: asyncio.TimerHandle | None = None
        self._reading_message = False
        self._blocked = False
        self._ended = False
        self._scheduled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the client, or not."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        if not self._connections.admit(self, _client_of(transport.get_extra_info("peername"))):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._wait(self._connections.policy.idle, idle=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        """Forget the client; why it went does not matter."""
        self._transport = None
        self._stop_waiting()
        self._connections.leave(self)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._received += data
        self._work()

    def eof_received(self) -> bool:
        """Answer what is still owed to a client that has closed its half (RFC 7766 section 6.2.4), then close."""
        self._ended = True
        self._work()
        return True

    def pause_writing(self) -> None:
        """Hold back: the client does not read its answers."""
        self._blocked = True

    def resume_writing(self) -> None:
        """Go on where `pause_writing` stopped."""
        self._blocked = False
        self._work()

    def abort(self) -> None:
        """Cut the connection at once."""
        self._connections.leave(self)
        if self._transport is not None:
            self._transport.abort()

    def _work(self) -> None:
        """Answer whole messages, a few; then go on later, wait for more, or end."""
        if self._transport is None or self._transport.is_closing() or self._scheduled:
            return
        answered = 0
        while answered < _AT_ONCE and not self._blocked and (message := self._next_message()) is not None:
            answered += 1
            response = self._connections.responder.respond_tcp(message)
            if response is None:  # not a query: nothing sensible follows
                self.abort()
                return
            self._transport.write(len(response).to_bytes(2, "big") + response)
        if not self._transport.is_closing():
            self._continue(self._transport, answered)

    def _continue(self, transport: asyncio.Transport, answered: int) -> None:
        whole = self._has_message()
        if whole and not self._blocked:
            self._scheduled = True
            self._loop.call_soon(self._work_again)
        if whole or self._blocked:
            transport.pause_reading()
        elif self._ended:
            transport.close()
            return
        else:
            transport.resume_reading()
        self._watch(answered=answered > 0, partial=bool(self._received) and not whole)

    def _work_again(self) -> None:
        self._scheduled = False
        self._work()

    def _watch(self, *, answered: bool, partial: bool) -> None:
        """Set the time by which something has to happen: the rest of a message, or the next one."""
        if partial and not self._blocked:
            if answered or not self._reading_message:
                self._wait(self._connections.policy.message, idle=False)
        elif answered or self._reading_message:
            self._wait(self._connections.policy.idle, idle=not self._received)
        self._reading_message = partial and not self._blocked

    def _wait(self, seconds: float, *, idle: bool) -> None:
        self._stop_waiting()
        self._connections.mark_idle(self, idle=idle)
        self._deadline = self._loop.call_later(seconds, self.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _has_message(self) -> bool:
        return len(self._received) >= 2 and len(self._received) >= 2 + int.from_bytes(self._received[:2], "big")

    def _next_message(self) -> bytes | None:
        if not self._has_message():
            return None
        end = 2 + int.from_bytes(self._received[:2], "big")
        message = bytes(self._received[2:end])
        del self._received[:end]
        return message


def _client_of(peer: tuple[Any, ...] | None) -> bytes:
    """Return what counts as one client; a peer that is gone already counts as one too."""
    if not peer:
        return b""
    host = peer[0].partition("%")[0]
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host)[:_IPV6_PREFIX]
    return socket.inet_aton(host)[:_IPV4_PREFIX]
