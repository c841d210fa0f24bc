"""One kept HTTP/1.1 connection to AWS: dialling, TLS, and exchanges that each have one deadline for everything.

It knows what was sent and what came back, which decides whether a call may be sent again; it never sends one again.
"""

from __future__ import annotations

import io
import os
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING

from homing.protocols.http_reply import Unreadable, read_reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_REPLY = 16 * 1024 * 1024
"""Bytes of a reply that are read. DynamoDB's longest, of BatchGetItem, is 16 MB."""

CONNECT_SECONDS = 3.0
"""For one address: a lost SYN is sent again after one second, and after another two."""

AMAZON_ROOTS = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")


class Lost(Exception):
    """The exchange failed.

    `sent`: all of the request was. `answered`: at least one byte came back. `closed`: the other side hung up.
    """

    def __init__(self, text: str, *, sent: bool, answered: bool, closed: bool) -> None:
        super().__init__(text)
        self.sent = sent
        self.answered = answered
        self.closed = closed


def make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the certificates in a PEM file only; None trusts the system's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(ca_file)
    return context


class Connection:
    """A TCP or TLS connection that carries one exchange after another, never two at once."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, deadline: float) -> None:
        """Dial; `deadline` is of `time.monotonic`. Raises OSError."""
        self._socket = _dial(host, port, tls, deadline)
        self.idle_since = 0.0
        self.reusable = True

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers with lower-case names, and body. Raises Lost."""
        self.reusable = False
        incoming = _Incoming(self._socket, deadline)
        sent = False
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(_render_head(method, target, headers, len(body)) + body)
            sent = True
            reader = io.BufferedReader(incoming)
            status, answered, read, may_stay = read_reply(reader, method, MAX_REPLY)
            incoming.is_over = True
            self.reusable = may_stay and not reader.peek(1)  # what came too much is nobody's reply
            return status, answered, read
        except (OSError, Unreadable) as error:
            closed = isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError))
            text = str(error) or type(error).__name__
            raise Lost(text, sent=sent, answered=incoming.received, closed=closed) from None

    def is_quiet(self) -> bool:
        """Tell whether nothing came while it was idle. What comes then is the connection's end, or nobody's reply."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False  # it is off the socket already
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


class _Incoming(io.RawIOBase):
    """What comes back, read within the deadline."""

    def __init__(self, source: socket.socket, deadline: float) -> None:
        self._source = source
        self._deadline = deadline
        self.received = False
        self.is_over = False
        """Nothing more is read: what is left is what came already."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.is_over:
            return 0
        self._source.settimeout(_left(self._deadline))
        count = self._source.recv_into(buffer)
        self.received = self.received or count > 0
        return count


def _dial(host: str, port: int, tls: ssl.SSLContext | None, deadline: float) -> socket.socket:
    """Connect to the first address that answers."""
    failure = OSError("no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(min(CONNECT_SECONDS, _left(deadline)))
            plain.connect(address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_left(deadline))
            return plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            failure = error
    raise failure


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _render_head(method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    whole = "".join(lines)
    if not (whole.isascii() and whole.isprintable()) or " " in target:
        raise ValueError("a character that no head of a request may hold")  # never the line itself: it may be a secret
    lines += ["Accept-Encoding: identity", f"Content-Length: {length}", "User-Agent: homing", "\r\n"]
    return "\r\n".join(lines).encode("ascii")
