"""One HTTP exchange with an update server, within one deadline. Never follows a redirect: it would carry a secret away.

The connection may be held to one address family, to one interface or to one source address; what is endless, huge or
cut short is no answer. Nothing here knows a protocol.
"""

from __future__ import annotations

import errno
import io
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from homing import __version__
from homing.client.trust import Trust, explain
from homing.core.errors import HomingError, InvalidInput
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
USER_AGENT = f"homing/{__version__}"

_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH, errno.ENETDOWN}


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
    source: str | None = None
    """Leave from this address."""
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
    https, host, port, target = _take_apart(server, ask)
    request = _render(host, None if port == (443 if https else 80) else port, target, ask)
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


def _take_apart(server: str, ask: Ask) -> tuple[bool, str, int, str]:
    """Return whether it is https, the host, the port and the target. Raises InvalidInput."""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise InvalidInput(f"not an http or https URL: {server.rpartition('@')[2].partition('?')[0][:80]!r}")
    path = (parts.path.rstrip("/") + ask.path) if ask.path else parts.path
    query = "&".join(one for one in (parts.query, ask.query) if one)
    target = (path or "/") + (f"?{query}" if query else "")
    if not target.isascii() or not target.isprintable() or " " in target:
        raise InvalidInput(f"the URL of {host[:80]} holds a character that has to be encoded")
    https = parts.scheme == "https"
    return https, _ascii(host), port or (443 if https else 80), target


def _render(host: str, port: int | None, target: str, ask: Ask) -> bytes:
    """Return the request; `port` where it is an unusual one. Raises InvalidInput, which never repeats what is wrong."""
    given = {name.lower() for name, _ in ask.headers}
    mine = (("Accept-Encoding", "identity"), ("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Connection", "close"))
    headers = [("Host", _host(host, port)), *ask.headers, *(one for one in mine if one[0].lower() not in given)]
    if ask.body or ask.method == "POST":
        headers.append(("Content-Length", str(len(ask.body))))
    if not all(name.isascii() and value.isprintable() for name, value in headers):
        raise InvalidInput("a header holds a character that none may hold; look at secrets and keys")
    lines = [f"{ask.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    try:
        return "\r\n".join(lines).encode("latin-1") + ask.body
    except UnicodeEncodeError:
        raise InvalidInput("a header holds a character that none may hold; look at secrets and keys") from None


def _ascii(host: str) -> str:
    """Return a host as DNS has it. Python's own way, for each ASCII name too, takes a megabyte of tables."""
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidInput(f"not a host name: {host[:80]!r}") from None


def _host(host: str, port: int | None) -> str:
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


class _Wire(io.RawIOBase):
    """A connection whose every step ends at one deadline, and that takes in so much and no more."""

    def __init__(self, connected: socket.socket, deadline: float, most: int) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline
        self._left = most

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        self._wait()
        self._socket = context.wrap_socket(self._socket, server_hostname=host.encode())  # as bytes: see `_ascii`

    def send(self, data: bytes) -> None:
        self._wait()
        self._socket.sendall(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wait()
        if self._left <= 0:
            raise TooLong
        count = self._socket.recv_into(buffer)
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
    """Try each address of the host in turn. Raises FamilyAbsent where no way leads there, else OSError."""
    addresses = look_up(host, port, family, deadline)
    last: OSError | None = None
    for number, (kind, _, _, _, place) in enumerate(addresses):
        # The first of several gets no more than half, so that a dead one leaves time for the next.
        share = _remaining(deadline) / (1 if number == len(addresses) - 1 else 2)
        attempt = socket.socket(kind, socket.SOCK_STREAM)
        try:
            attempt.settimeout(share)
            bind(attempt, line)
            attempt.connect(place)
            return _Wire(attempt, deadline, _AROUND * line.most)
        except OSError as error:
            attempt.close()
            last = error
    assert last is not None
    if last.errno in NO_WAY:
        raise FamilyAbsent(f"{host}: {_why(last)}") from None
    raise last


def bind(connection: socket.socket, line: Line) -> None:
    """Hold a socket to an interface and a source address, where the line names any. Raises OSError."""
    if line.interface is not None:
        option = getattr(socket, "SO_BINDTODEVICE", None)
        if option is None:
            raise OSError(errno.ENOTSUP, "this system cannot hold a connection to an interface")
        connection.setsockopt(socket.SOL_SOCKET, option, line.interface.encode() + b"\0")
    if line.source is not None:
        connection.bind((line.source, 0))


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
