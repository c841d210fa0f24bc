"""One question over UDP, sent again until it is answered or the time is up. Nothing here knows what is asked."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, TypeVar

from homing.client.remote import FamilyAbsent, ServerUnreachable, bind, is_no_way, look_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.client.remote import Line
    from homing.protocols.asking import Family

T = TypeVar("T")
MAX_DATAGRAM = 2048


def ask(
    opened: socket.socket,
    question: bytes,
    read: Callable[[bytes], T | None],
    *,
    deadline: float,
    first_wait: float = 0.25,
) -> T:
    """Return what `read` makes of the first datagram that it does not answer None for.

    The socket is connected, so that datagrams of others do not count. The question is sent after `first_wait` seconds
    again, then after twice as long, and so on (RFC 6886 section 3.1, RFC 8489 section 6.2.1), until `deadline` on the
    monotonic clock. Raises ServerUnreachable.
    """
    wait = first_wait
    where = str(opened.getpeername()[0])
    try:
        while (left := deadline - time.monotonic()) > 0:
            opened.send(question)
            found = _listen(opened, read, min(wait, left))
            if found is not None:
                return found
            wait *= 2
    except OSError as error:
        raise ServerUnreachable(f"{where}: {error.strerror or 'no answer'}") from None
    raise ServerUnreachable(f"{where}: no answer")


def connected(host: str, port: int, family: Family, line: Line, deadline: float) -> socket.socket:
    """Return a socket that only hears from there, and leaves as the line says.

    Raises ServerUnreachable, and FamilyAbsent where no way of the family leads there.
    """
    opened: socket.socket | None = None
    kind, place = 0, None
    try:
        kind, _, _, _, place = look_up(host, port, family, deadline, socket.SOCK_DGRAM)[0]
        opened = socket.socket(kind, socket.SOCK_DGRAM)
        bind(opened, line)
        opened.connect(place)
    except OSError as error:
        if opened is not None:
            opened.close()
        absent = FamilyAbsent if is_no_way(error, kind, place, line) else ServerUnreachable
        raise absent(f"{host}: {error.strerror or 'not a host'}") from None
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
