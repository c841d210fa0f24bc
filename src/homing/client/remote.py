"""One HTTP exchange with an update server, within one deadline. Never follows a redirect: it would carry a secret away.

The connection may be held to one address family, to one interface or to one source address; what is endless, huge or
cut short is no answer. Nothing here knows a protocol.
"""

from __future__ import annotations

import errno
import http.client
import io
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from homing import __version__
from homing.core.errors import HomingError, InvalidInput
from homing.core.values import frozen
from homing.protocols.asking import Ask, Heard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from homing.protocols.asking import Family

MAX_ANSWER = 64 * 1024
"""Bytes of a body; no answer of any protocol is longer, and what is longer is no answer."""
_MAX_WIRE = 4 * MAX_ANSWER
"""Bytes that are taken off the connection: the head, and the chunks' own lengths, are in them."""
USER_AGENT = f"homing/{__version__}"

_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
_NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH, errno.ENETDOWN}


class ServerUnreachable(HomingError):
    """No answer came from the server. Whether the update was done is not known."""


class FamilyAbsent(ServerUnreachable):
    """This machine, or the server, has no address or no route of the family. Nothing was sent."""


class _Endless(http.client.HTTPException):
    """More was said than any server says."""


class Untrusted(ServerUnreachable):
    """TLS: the other end is not who it should be, or our clock is wrong. Nothing was sent."""


@frozen
class Line:
    """How a server is reached."""

    timeout: float = 10.0
    """Seconds for one exchange, looking up its name and reading all of its answer included."""
    tls: ssl.SSLContext | None = None
    """None: what the system trusts."""
    interface: str | None = None
    """Leave by this interface only (Linux)."""
    source: str | None = None
    """Leave from this address."""


def trust(ca_file: Path | None) -> ssl.SSLContext | None:
    """Return what is trusted besides the system's own authorities. Raises InvalidInput."""
    if ca_file is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except OSError:  # ssl.SSLError is one
        raise InvalidInput(f"{ca_file}: cannot be read as PEM certificates") from None
    return context


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
    deadline = time.monotonic() + line.timeout
    wire: _Wire | None = None
    try:
        wire = _connect(host, port, ask.family, line, deadline)
        if https:
            wire.start_tls(line.tls or ssl.create_default_context(), host)
        return _converse(wire, host, port, 443 if https else 80, target, ask)
    except ssl.SSLCertVerificationError as error:
        why = f"{host}: TLS: {error.verify_message}; if it is right, is this machine's clock?"
        raise Untrusted(why) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServerUnreachable(f"{host}: {_why(error)}") from None
    finally:
        if wire is not None:
            wire.end()


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
    return https, host, port or (443 if https else 80), target


def _converse(wire: _Wire, host: str, port: int, default_port: int, target: str, ask: Ask) -> Heard:
    connection = http.client.HTTPConnection(f"[{host}]" if ":" in host else host, port)
    connection.default_port = default_port  # so that Host leaves it out
    connection.sock = wire  # all that http.client asks of a socket
    given = {name.lower() for name, _ in ask.headers}
    mine = (("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Connection", "close"))
    headers = dict(ask.headers) | {name: value for name, value in mine if name.lower() not in given}
    connection.request(ask.method, target, ask.body or (b"" if ask.method == "POST" else None), headers)
    answer = connection.getresponse()
    body = answer.read(MAX_ANSWER + 1)
    if len(body) > MAX_ANSWER:
        raise _Endless
    if answer.length:  # half an address may look like a whole one
        raise http.client.IncompleteRead(body)
    return Heard(answer.status, tuple((name.lower(), value) for name, value in answer.getheaders()), body)


class _Wire:
    """A socket whose every step ends at one deadline. As much of a socket as http.client uses."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline
        self._left = _MAX_WIRE

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        self._wait()
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def sendall(self, data: bytes) -> None:
        self._wait()
        self._socket.sendall(data)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self))

    def receive_into(self, buffer: Any) -> int:
        self._wait()
        if self._left <= 0:
            raise _Endless
        count = self._socket.recv_into(buffer)
        self._left -= count
        return count

    def close(self) -> None:
        """Do nothing: http.client lets go of the socket before the body is read. `end` closes it."""

    def end(self) -> None:
        self._socket.close()

    def _wait(self) -> None:
        self._socket.settimeout(_remaining(self._deadline))


class _Reading(io.RawIOBase):
    """What the answer is read from. Closing it leaves the connection to its owner."""

    def __init__(self, wire: _Wire) -> None:
        super().__init__()
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive_into(buffer)

    def __enter__(self) -> Self:
        return self


def _connect(host: str, port: int, family: Family | None, line: Line, deadline: float) -> _Wire:
    """Try each address of the host in turn. Raises FamilyAbsent where no way leads there, else OSError."""
    addresses = _look_up(host, port, family, deadline)
    last: OSError | None = None
    for number, (kind, _, _, _, place) in enumerate(addresses):
        # The first of several gets no more than half, so that a dead one leaves time for the next.
        share = _remaining(deadline) / (1 if number == len(addresses) - 1 else 2)
        attempt = socket.socket(kind, socket.SOCK_STREAM)
        try:
            attempt.settimeout(share)
            bind(attempt, line)
            attempt.connect(place)
            return _Wire(attempt, deadline)
        except OSError as error:
            attempt.close()
            last = error
    assert last is not None
    if last.errno in _NO_WAY:
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


def _look_up(host: str, port: int, family: Family | None, deadline: float) -> list[Any]:
    """Return the addresses of a host. The system's resolver knows no deadline, so that it is waited for in a thread."""
    found: list[Any] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, _FAMILIES[family], socket.SOCK_STREAM))
        except OSError as error:
            failed.append(error)
        except UnicodeError:
            failed.append(OSError(errno.EINVAL, "not a host name"))

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
    if isinstance(error, http.client.RemoteDisconnected):
        return "hung up without an answer"
    if isinstance(error, _Endless):
        return "its answer has no end, or is far too long"
    if isinstance(error, http.client.IncompleteRead):
        return "hung up in the middle of its answer"
    return "answers, but not in HTTP"
