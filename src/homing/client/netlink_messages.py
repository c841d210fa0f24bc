"""What rtnetlink messages say (Linux, rtnetlink(7)): bytes <-> values. Pure; the sockets are in `netlink.py`.

A message is a header, a fixed part for its kind, and attributes. Nothing that is read is trusted to be whole: a length
that does not fit ends the reading, an attribute of the wrong size counts as missing, and a message without what makes
it useful is left out. Unknown attributes and kinds are skipped, since every kernel adds some.
"""

from __future__ import annotations

import struct
import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from homing.client.netlink_values import (
    FOREVER,
    STATES,
    InterfaceAddress,
    Link,
    Neighbour,
    Route,
)
from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from homing.client.netlink_values import Value
    from homing.core.addresses import Address, Network

IPV4, IPV6 = 2, 10
"""AF_INET and AF_INET6 as Linux numbers them."""

ERROR, DONE, OVERRUN = 2, 3, 4
NEW_LINK, DEL_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DEL_ROUTE, GET_ROUTE = 24, 25, 26
NEW_NEIGHBOUR, DEL_NEIGHBOUR, GET_NEIGHBOUR = 28, 29, 30
DUMP_REQUEST = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP."""
DUMP_INTERRUPTED = 0x10
"""NLM_F_DUMP_INTR: the table changed under the dump, which has to be asked for again."""

_PROXY = 0x08

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SKIP_STATISTICS = struct.pack("=HHI", 8, 29, 8)
"""IFLA_EXT_MASK with RTEXT_FILTER_SKIP_STATS: a dump of links is mostly counters otherwise."""


@frozen
class Message:
    """One netlink message; `body` is what follows its header."""

    kind: int
    flags: int
    sequence: int
    body: bytes


def make_dump(kind: int, sequence: int, family: int = 0) -> bytes:
    """Return a request for a whole table: GET_ADDRESS, GET_LINK, GET_NEIGHBOUR or GET_ROUTE; family 0 is all."""
    fixed = {GET_LINK: 16, GET_ADDRESS: 8, GET_NEIGHBOUR: 12, GET_ROUTE: 12}[kind]
    body = bytes([family]).ljust(fixed, b"\0") + (_SKIP_STATISTICS if kind == GET_LINK else b"")
    return _HEADER.pack(_HEADER.size + len(body), kind, DUMP_REQUEST, sequence, 0) + body


def parse_messages(data: bytes) -> Iterator[Message]:
    """Return the messages of one datagram, up to the first whose length cannot be."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= length <= len(data) - at:
            return
        yield Message(kind, flags, sequence, data[at + _HEADER.size : at + length])
        at += _aligned(length)


def parse_error(body: bytes) -> int:
    """Return the errno of an ERROR message; 0 is an acknowledgement, and so is what is too short to tell."""
    return -int.from_bytes(body[:4], sys.byteorder, signed=True) if len(body) >= 4 else 0


def parse_values(message: Message) -> tuple[Value, ...]:
    """Return what a NEW_* or DEL_* message tells of; nothing if it is of no use. Never raises."""
    parse = _PARSERS.get(message.kind)
    return tuple(parse(message.body)) if parse is not None else ()


def _link(body: bytes) -> Iterator[Link]:
    if len(body) < 16 or body[0] != 0:
        return  # of family AF_BRIDGE and the like: ports, not interfaces
    index, flags = struct.unpack_from("=iI", body, 4)
    found = _attributes(body[16:])
    name = found.get(3, b"").split(b"\0")[0].decode("utf-8", "replace")
    if index > 0 and name:
        yield Link(index, name, _mac(found.get(1)), flags)


def _interface_address(body: bytes) -> Iterator[InterfaceAddress]:
    if len(body) < 8:
        return
    family, prefix_length, flags, scope, index = struct.unpack_from("=BBBBI", body)
    found = _attributes(body[8:])
    far = _address(family, found.get(1))
    own = _address(family, found.get(2)) or far
    if own is None or not 0 < index < 1 << 31 or prefix_length > own.max_prefixlen:
        return
    more_flags = _number(found.get(8))
    preferred, valid = _lifetimes(found.get(6))
    yield InterfaceAddress(
        index, own, prefix_length, flags if more_flags is None else more_flags, scope, preferred, valid,
        far if far != own else None,
    )  # fmt: skip


def _neighbour(body: bytes) -> Iterator[Neighbour]:
    if len(body) < 12:
        return
    family, index, state, flags = struct.unpack_from("=BxxxiHB", body)
    found = _attributes(body[12:])
    address = _address(family, found.get(1))
    if address is not None and index > 0 and not flags & _PROXY:
        yield Neighbour(index, address, _mac(found.get(2)), STATES.get(state, "none"))


def _routes(body: bytes) -> Iterator[Route]:
    """Return one route for each way that it names."""
    if len(body) < 12:
        return
    family, length, table, kind = struct.unpack_from("=BBxxBxxB", body)
    found = _attributes(body[12:])
    destination = _network(family, found.get(1), length)
    if destination is None:
        return
    whole = _number(found.get(15))
    number = table if whole is None else whole
    for index, way in ((_number(found.get(4)), found), *_ways(found.get(9, b""))):
        if index:
            gateway = _address(family, way.get(5)) or _via(way.get(18))
            yield Route(destination, index, gateway, _number(found.get(6)) or 0, number, kind)


def _ways(data: bytes) -> Iterator[tuple[int, Mapping[int, bytes]]]:
    """Return the next hops of RTA_MULTIPATH, each with its interface."""
    at = 0
    while at + 8 <= len(data):
        length, index = struct.unpack_from("=Hxxi", data, at)
        if not 8 <= length <= len(data) - at:
            return
        if index > 0:
            yield index, _attributes(data[at + 8 : at + length])
        at += _aligned(length)


_PARSERS: Mapping[int, Callable[[bytes], Iterator[Value]]] = {
    NEW_LINK: _link,
    DEL_LINK: _link,
    NEW_ADDRESS: _interface_address,
    DEL_ADDRESS: _interface_address,
    NEW_NEIGHBOUR: _neighbour,
    DEL_NEIGHBOUR: _neighbour,
    NEW_ROUTE: _routes,
    DEL_ROUTE: _routes,
}


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not 4 <= length <= len(data) - at:
            break
        found.setdefault(kind & 0x3FFF, data[at + 4 : at + length])  # the two high bits tell of nesting and byte order
        at += _aligned(length)
    return found


def _address(family: int, raw: bytes | None) -> Address | None:
    if raw is None or len(raw) != {IPV4: 4, IPV6: 16}.get(family):
        return None
    return IPv4Address(raw) if family == IPV4 else IPv6Address(raw)


def _network(family: int, raw: bytes | None, length: int) -> Network | None:
    if family not in (IPV4, IPV6) or length > (32 if family == IPV4 else 128):
        return None
    whole = bytes(4 if family == IPV4 else 16) if raw is None and length == 0 else raw
    if _address(family, whole) is None or whole is None:
        return None
    return IPv4Network((whole, length), strict=False) if family == IPV4 else IPv6Network((whole, length), strict=False)


def _via(raw: bytes | None) -> Address | None:
    """Return a gateway of the other family: IPv4 over an IPv6 next hop (RFC 8950)."""
    return None if raw is None or len(raw) < 2 else _address(int.from_bytes(raw[:2], sys.byteorder), raw[2:])


def _mac(raw: bytes | None) -> str | None:
    return raw.hex(":") if raw is not None and len(raw) == 6 else None


def _number(raw: bytes | None) -> int | None:
    return int.from_bytes(raw, sys.byteorder) if raw is not None and len(raw) == 4 else None


def _lifetimes(raw: bytes | None) -> tuple[int | None, int | None]:
    if raw is None or len(raw) < 8:
        return None, None
    preferred, valid = struct.unpack_from("=II", raw)
    return (None if preferred == FOREVER else preferred), (None if valid == FOREVER else valid)


def _aligned(length: int) -> int:
    return length + 3 & ~3
