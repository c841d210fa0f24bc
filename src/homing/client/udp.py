"""One question over UDP, sent again until it is answered or the time is up. Nothing here knows what is asked."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, TypeVar

from homing.client.remote import ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MAX_DATAGRAM = 2048


def ask(
    opened: socket.socket,
    question: bytes,
    read: Callable[[bytes], T | None],
    *,
    timeout: float,
    first_wait: float = 0.25,
) -> T:
    """Return what `read` makes of the first datagram that it does not answer None for.

    The socket is connected, so that datagrams of others do not count. The question is sent after `first_wait` seconds
    again, then after twice as long, and so on (RFC 6886 section 3.1, RFC 8489 section 6.2.1). Raises ServerUnreachable.
    """
    end, wait = time.monotonic() + timeout, first_wait
    where = str(opened.getpeername()[0])
    try:
        while (left := end - time.monotonic()) > 0:
            opened.send(question)
            found = _listen(opened, read, min(wait, left))
            if found is not None:
                return found
            wait *= 2
    except OSError as error:
        raise ServerUnreachable(f"{where}: {error.strerror or 'no answer'}") from None
    raise ServerUnreachable(f"{where}: no answer")


def connected(host: str, port: int, family: int = socket.AF_INET) -> socket.socket:
    """Return a socket that only hears from there. Raises ServerUnreachable."""
    try:
        kind, _, _, _, place = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0]
        opened = socket.socket(kind, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ServerUnreachable(f"{host}: {getattr(error, 'strerror', None) or 'not a host'}") from None
    try:
        opened.connect(place)
    except OSError as error:
        opened.close()
        raise ServerUnreachable(f"{host}: {error.strerror}") from None
    return opened


def _listen(opened: socket.socket, read: Callable[[bytes], T | None], seconds: float) -> T | None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        opened.settimeout(left)
        try:
            data = opened.recv(MAX_DATAGRAM)
        except TimeoutError:
            return None
        found = read(data)
        if found is not None:
            return found
    return None
