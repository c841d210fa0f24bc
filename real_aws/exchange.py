"""One HTTP exchange with the endpoint, over the address family that is asked for. Redirects are not followed."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

Family = Literal["IPv4", "IPv6"]
FAMILIES: tuple[Family, ...] = ("IPv4", "IPv6")
_NUMBERS = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6, None: socket.AF_UNSPEC}
TIMEOUT = 20.0
"""Seconds; a cold start takes some of them."""


class NoRoute(OSError):
    """This machine has no way to such addresses."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: str

    def json(self) -> Any:
        """Return the body, parsed. Raises ValueError."""
        return json.loads(self.body)

    @property
    def challenges(self) -> dict[str, str]:
        """Every header that a challenge may have been renamed to."""
        return {name: value for name, value in self.headers if name.endswith("www-authenticate")}

    def __str__(self) -> str:
        return f"{self.status} {self.body[:120].strip()!r}"


def ask(
    url: str,
    *,
    family: Family | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    basic: tuple[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = TIMEOUT,
) -> Reply:
    """Send a GET, or a POST if there is a body. Raises NoRoute, OSError or http.client.HTTPException."""
    parts = urlsplit(url)
    assert parts.hostname is not None, "the URL is one that the stack told"
    connection = http.client.HTTPConnection(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    sent = dict(headers)
    if basic is not None:
        sent["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    try:
        connection.sock = _connect(parts.hostname, connection.port, family, timeout)
        if parts.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=parts.hostname)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET" if body is None else "POST", target, body, sent)
        answer = connection.getresponse()
        found = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Reply(answer.status, found, answer.read(65_536).decode("utf-8", "replace"))
    finally:
        connection.close()


def addresses_of(host: str, port: int, family: Family | None) -> list[str]:
    """Return the addresses of a name, of one family; none if it has none. Whether we can get there is not asked."""
    try:
        found = socket.getaddrinfo(host, port, _NUMBERS[family], socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return [str(one[4][0]) for one in found]


def has_route(address: str) -> bool:
    """Tell whether this machine has a way to an address. Connecting a datagram socket sends nothing."""
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True


def _connect(host: str, port: int, family: Family | None, timeout: float) -> socket.socket:
    addresses = addresses_of(host, port, family)
    if not addresses:
        raise OSError(f"{host} has no {family or 'IP'} address")
    reachable = [address for address in addresses if has_route(address)]
    if not reachable:
        raise NoRoute(f"this machine has no way to {family or 'IP'} addresses")
    failure: OSError | None = None
    for address in reachable[:4]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failure = error
    raise failure or OSError(f"{host} cannot be reached")
