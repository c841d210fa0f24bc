"""One HTTP exchange with an update server, within one deadline. Never follows a redirect: it would carry a secret away.

The connection may be held to one address family or to one interface; what is endless, huge or cut short is no answer.
Nothing here knows a protocol.
"""

from __future__ import annotations

import errno
import io
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from homing.client.request import render, take_apart
from homing.client.trust import Trust, explain
from homing.core.errors import HomingError
from homing.core.values import frozen
from homing.protocols.asking import Ask, Heard
from homing.protocols.http_reply import EndsEarly, TooLong, Unreadable, read_reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.protocols.asking import Family

MAX_ANSWER = 64 * 1024
"""Bytes of a body; no answer to an update is longer, and what is longer is no answer."""
_AROUND = 4
"""So many times the body is taken off the connection: the head, and the chunks' own lengths, are in it."""

_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
_NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN)


class ServerUnreachable(HomingError):
    """No answer came from the server. Whether the update was done is not known."""


class FamilyAbsent(ServerUnreachable):
    """This machine, or the server, has no address or no route of the family. Nothing was sent."""


class Untrusted(ServerUnreachable):
    """TLS: the other end is not who it should be, or our clock is wrong. Nothing was sent."""


@frozen
class Line:
    """How a server is reached."""

    timeout: float = 10.0
    """Seconds for one exchange, looking up its name and reading all of its answer included."""
    tls: Trust | ssl.SSLContext | None = None
    """Whom to believe. None: what the system trusts."""
    interface: str | None = None
    """Leave by this interface only (Linux)."""
    most: int = MAX_ANSWER
    """Bytes of a body that are read."""


def send(
    url: str,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Return status and body. `timeout` is in seconds. Raises ServerUnreachable, and InvalidInput for the URL."""
    heard = exchange(url, Ask(method, "", headers=tuple(headers), body=body), Line(timeout, tls))
    return heard.status, heard.body


def exchange(server: str, ask: Ask, line: Line) -> Heard:
    """Send one request to a server's URL and return all of its answer.

    Raises ServerUnreachable, and InvalidInput for the URL.
    """
    https, host, port, target = take_apart(server, ask)
    request = render(host, None if port == (443 if https else 80) else port, target, ask)
    deadline = time.monotonic() + line.timeout
    wire: _Wire | None = None
    try:
        wire = (_connect_safely if https else _connect)(host, port, ask.family, line, deadline)
        wire.send(request)
        status, headers, body, _ = read_reply(io.BufferedReader(wire), ask.method, line.most, is_last=True)
        return Heard(status, tuple(headers.items()), body)
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(f"{host}: TLS: {explain(error)}") from None
    except (OSError, Unreadable, ValueError) as error:
        raise ServerUnreachable(f"{host}: {_why(error)}") from None
    finally:
        if wire is not None:
            wire.close()


class _Wire(io.RawIOBase):
    """A connection whose every step ends at one deadline, and that takes in so much and no more."""

    def __init__(self, connected: socket.socket, deadline: float, most: int) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline
        self._left = most
        self._has_answered = False

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        self._wait()
        self._socket = context.wrap_socket(
            self._socket,
            server_hostname=host.encode(),  # as bytes: see `_ascii`
            suppress_ragged_eofs=False,
        )

    def send(self, data: bytes) -> None:
        self._wait()
        self._socket.sendall(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wait()
        if self._left <= 0:
            raise TooLong
        try:
            count = self._socket.recv_into(buffer)
        except ssl.SSLEOFError:  # no close_notify (RFC 8446 section 6.1): perhaps somebody has cut the answer short
            if self._has_answered:
                raise EndsEarly from None
            return 0
        self._has_answered = self._has_answered or count > 0
        self._left -= count
        return count

    def close(self) -> None:
        self._socket.close()
        super().close()

    def _wait(self) -> None:
        self._socket.settimeout(_remaining(self._deadline))


def _connect_safely(host: str, port: int, family: Family | None, line: Line, deadline: float) -> _Wire:
    """Connect, and make sure of who is there. Raises OSError, ssl.SSLCertVerificationError among it."""

    def connect(context: ssl.SSLContext) -> _Wire:
        wire = _connect(host, port, family, line, deadline)
        try:
            wire.start_tls(context, host)
        except BaseException:
            wire.close()
            raise
        return wire

    if isinstance(line.tls, ssl.SSLContext):
        return connect(line.tls)
    believed = line.tls or Trust()
    try:
        return connect(believed.first())
    except ssl.SSLCertVerificationError as error:
        whole = believed.second(error)
        if whole is None:
            raise
    return connect(whole)


def _connect(host: str, port: int, family: Family | None, line: Line, deadline: float) -> _Wire:
    """Try each address of the host in turn. Raises FamilyAbsent where no way leads to any of them, else OSError."""
    addresses = look_up(host, port, family, deadline)
    no_ways: list[OSError] = []
    failures: list[OSError] = []
    for number, (kind, _, _, _, place) in enumerate(addresses):
        # The first of several gets no more than half, so that a dead one leaves time for the next.
        share = _remaining(deadline) / (1 if number == len(addresses) - 1 else 2)
        try:
            return _Wire(_open(kind, place, line, share), deadline, _AROUND * line.most)
        except OSError as error:
            (no_ways if is_no_way(error, kind, place, line) else failures).append(error)
    if failures:
        raise failures[-1]
    raise FamilyAbsent(f"{host}: {_why(no_ways[-1])}")


def _open(kind: int, place: Any, line: Line, timeout: float) -> socket.socket:
    attempt = socket.socket(kind, socket.SOCK_STREAM)
    try:
        attempt.settimeout(timeout)
        bind(attempt, line)
        attempt.connect(place)
    except BaseException:
        attempt.close()
        raise
    return attempt


def is_no_way(error: OSError, kind: int, place: Any, line: Line) -> bool:
    """Tell whether this machine has no way to a place, which is another thing than nobody being there.

    EHOSTUNREACH may be either: BSD has no route then, and on Linux the host does not answer on its link. Connecting a
    UDP socket tells them apart: it sends nothing, and fails only for want of a route.
    """
    if error.errno != errno.EHOSTUNREACH:
        return error.errno in _NO_WAY
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as unused:
            bind(unused, line)
            unused.connect(place)
    except OSError:
        return True
    return False


def bind(connection: socket.socket, line: Line) -> None:
    """Hold a socket to an interface, where the line names one. Raises OSError."""
    if line.interface is not None:
        option = getattr(socket, "SO_BINDTODEVICE", None)
        if option is None:
            raise OSError(errno.ENOTSUP, "this system cannot hold a connection to an interface")
        connection.setsockopt(socket.SOL_SOCKET, option, line.interface.encode() + b"\0")


def look_up(
    host: str, port: int, family: Family | None, deadline: float, kind: socket.SocketKind = socket.SOCK_STREAM
) -> list[Any]:
    """Return the addresses of a host. The system's resolver knows no deadline, so that it is waited for in a thread."""
    found: list[Any] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host.encode(), port, _FAMILIES[family], kind))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_remaining(deadline))
    if found:
        return found
    if not failed:
        raise TimeoutError(errno.ETIMEDOUT, "looking up its name took too long")
    absent = [getattr(socket, name, None) for name in ("EAI_ADDRFAMILY", "EAI_NODATA", "EAI_FAMILY")]
    literal = family is not None and _is_literal(host)
    if family is not None and (failed[0].errno in absent or literal):
        raise FamilyAbsent(f"{host}: has no IPv{family} address")
    raise failed[0]


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(errno.ETIMEDOUT, "took too long")
    return left


def _why(error: Exception) -> str:
    """Return the reason in words; never anything that was sent."""
    if isinstance(error, TimeoutError):
        return "took too long"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ConnectionResetError):
        return "hung up without an answer"
    if isinstance(error, TooLong):
        return "its answer has no end, or is far too long"
    if isinstance(error, EndsEarly):
        return "hung up in the middle of its answer"
    return "answers, but not in HTTP"
