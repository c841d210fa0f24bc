"""One HTTP request as it stands on the wire: a server's URL and a question -> bytes. Pure.

What no request can hold is refused, and never repeated: it may be a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homing import __version__
from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from homing.protocols.asking import Ask

USER_AGENT = f"homing/{__version__}"


def take_apart(server: str, ask: Ask) -> tuple[bool, str, int, str]:
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


def render(host: str, port: int | None, target: str, ask: Ask) -> bytes:
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
