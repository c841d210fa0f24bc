"""The kernel's tables of links, addresses, neighbours and routes, and word of every change in them (Linux, netlink(7)).

    with Tables() as tables: tables.addresses()
    with Watch() as watch:   select on it, then watch.read()

A dump costs under a tenth of a millisecond; no program is started and no privilege needed. The messages are in
`netlink_messages.py`, what they bring in `netlink_values.py`. Elsewhere than on Linux `is_available()` is False, and
nothing here may be used.
"""

from __future__ import annotations

import errno
import os
import socket
from itertools import count
from typing import TYPE_CHECKING, Self, TypeVar

from homing.client.netlink_messages import (
    DEL_ADDRESS,
    DEL_LINK,
    DEL_NEIGHBOUR,
    DEL_ROUTE,
    DONE,
    DUMP_INTERRUPTED,
    ERROR,
    GET_ADDRESS,
    GET_LINK,
    GET_NEIGHBOUR,
    GET_ROUTE,
    NEW_ADDRESS,
    NEW_LINK,
    NEW_NEIGHBOUR,
    NEW_ROUTE,
    OVERRUN,
    make_dump,
    parse_error,
    parse_messages,
    parse_values,
)
from homing.client.netlink_values import InterfaceAddress, Link, Neighbour, Route, Snapshot
from homing.core.values import frozen

if TYPE_CHECKING:
    from homing.client.netlink_messages import Message
    from homing.client.netlink_values import Value

LINKS, NEIGHBOURS, IPV4_ADDRESSES, IPV4_ROUTES, IPV6_ADDRESSES, IPV6_ROUTES = 0x1, 0x4, 0x10, 0x40, 0x100, 0x400
"""Groups to listen to (RTMGRP_*)."""
ADDRESS_GROUPS = LINKS | IPV4_ADDRESSES | IPV4_ROUTES | IPV6_ADDRESSES | IPV6_ROUTES
"""All that can move an address of this machine."""

_ROUTE_PROTOCOL = 0
_BUFFER = 64 * 1024
_WATCH_BUFFER = 256 * 1024
_TIMEOUT = 2.0
_TRIES = 5
_GONE = (DEL_LINK, DEL_ADDRESS, DEL_NEIGHBOUR, DEL_ROUTE)
_REPLIES = {GET_LINK: NEW_LINK, GET_ADDRESS: NEW_ADDRESS, GET_NEIGHBOUR: NEW_NEIGHBOUR, GET_ROUTE: NEW_ROUTE}

T = TypeVar("T", Link, InterfaceAddress, Neighbour, Route)


def is_available() -> bool:
    """Tell whether this system has netlink, and this process may use it: some sandboxes forbid it."""
    try:
        _open().close()
    except OSError:
        return False
    return True


class Tables:
    """Dumps of the kernel's tables. Not for use by two threads at once.

    Each call raises OSError: TimeoutError if the kernel does not answer within two seconds, InterruptedError if the
    table does not hold still, else what the kernel said.
    """

    def __init__(self) -> None:
        self._socket = _open()
        self._socket.settimeout(_TIMEOUT)
        self._sequence = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def links(self) -> list[Link]:
        """Return every interface."""
        return self._dump(GET_LINK, Link)

    def addresses(self) -> list[InterfaceAddress]:
        """Return every address of this machine, of both families."""
        return self._dump(GET_ADDRESS, InterfaceAddress)

    def neighbours(self) -> list[Neighbour]:
        """Return the ARP and the neighbour table of every interface."""
        return self._dump(GET_NEIGHBOUR, Neighbour)

    def routes(self) -> list[Route]:
        """Return the routes of both families and all tables, one for each next hop."""
        return self._dump(GET_ROUTE, Route)

    def snapshot(self) -> Snapshot:
        """Return what `choice.choose` needs."""
        return Snapshot(tuple(self.links()), tuple(self.addresses()), tuple(self.routes()))

    def _dump(self, kind: int, wanted: type[T]) -> list[T]:
        for _ in range(_TRIES):
            found = self._dump_once(kind)
            if found is not None:
                return [one for one in found if isinstance(one, wanted)]
        raise InterruptedError(errno.EINTR, "the kernel's table changes faster than it can be read")

    def _dump_once(self, kind: int) -> list[Value] | None:
        """Return a whole table, or None if it changed meanwhile."""
        sequence = next(self._sequence) & 0xFFFFFFFF
        self._socket.send(make_dump(kind, sequence))
        found: list[Value] = []
        is_whole = True
        while True:
            for message in _receive(self._socket):
                if message.sequence != sequence:
                    continue  # what is left of a dump that timed out
                is_whole = is_whole and not message.flags & DUMP_INTERRUPTED
                if message.kind == DONE:
                    return found if is_whole else None
                if message.kind == OVERRUN:
                    return None
                if message.kind == ERROR and (number := parse_error(message.body)):
                    raise OSError(number, os.strerror(number))
                if message.kind == _REPLIES[kind]:
                    found += parse_values(message)


@frozen
class Change:
    """What the kernel told of. `value` is None when word was lost: then anything may have changed."""

    value: Value | None
    is_gone: bool = False


class Watch:
    """Word of changes, as they happen. Has a `fileno` to select on."""

    def __init__(self, groups: int = ADDRESS_GROUPS) -> None:
        """Listen to groups from now on. Raises OSError where that is not allowed."""
        self._socket = _open(groups)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WATCH_BUFFER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def read(self, limit: int = 1000) -> list[Change]:
        """Return what has been told since the last call, of `limit` datagrams at most, without waiting."""
        changes: list[Change] = []
        for _ in range(limit):
            try:
                messages = _receive(self._socket)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                changes.append(Change(None))  # the kernel forgot to tell us something: look at everything again
                continue
            changes += [Change(value, message.kind in _GONE) for message in messages for value in parse_values(message)]
        return changes


def _open(groups: int = 0) -> socket.socket:
    if not hasattr(socket, "AF_NETLINK"):
        raise OSError(errno.EAFNOSUPPORT, "this system has no netlink")
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _ROUTE_PROTOCOL)
    try:
        opened.bind((0, groups))
    except OSError:
        opened.close()
        raise
    return opened


def _receive(opened: socket.socket) -> list[Message]:
    """Return the messages of one datagram of the kernel's; those of other processes are thrown away."""
    data, _, flags, sender = opened.recvmsg(_BUFFER)
    if sender[0] != 0:
        return []
    if flags & socket.MSG_TRUNC:
        raise OSError(errno.ENOBUFS, "a netlink message longer than our buffer")
    return list(parse_messages(data))
