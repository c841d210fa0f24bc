"""STUN: the address that a server sees a UDP packet come from (RFC 8489). A Binding request and its answer, no more."""

from __future__ import annotations

import secrets
import struct
import time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from homing.client import udp
from homing.core.values import frozen

if TYPE_CHECKING:
    from homing.client.remote import Line
    from homing.core.addresses import Address
    from homing.protocols.asking import Family

PORT = 3478
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE = 0x2112A442
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_MAPPED, _XOR_MAPPED = 0x0001, 0x0020


@frozen
class Mapped:
    """What a server said: the address, or None where it refused."""

    address: Address | None


def find_address(host: str, port: int, family: Family, line: Line) -> Address | None:
    """Return the address that a STUN server sees. Raises ServerUnreachable."""
    transaction, deadline = secrets.token_bytes(12), time.monotonic() + line.timeout
    with udp.connected(host, port, family, line, deadline) as opened:
        return udp.ask(
            opened, make_request(transaction), lambda data: parse_answer(data, transaction), deadline=deadline
        ).address


def make_request(transaction: bytes) -> bytes:
    """Return a Binding request without attributes (section 5)."""
    return _HEADER.pack(_REQUEST, 0, _COOKIE, transaction)


def parse_answer(data: bytes, transaction: bytes) -> Mapped | None:
    """Return what an answer says; None for what is no answer to this transaction, and is not listened to."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, found = _HEADER.unpack_from(data)
    if cookie != _COOKIE or found != transaction or length % 4 or len(data) != _HEADER.size + length:
        return None
    if kind == _ERROR:
        return Mapped(None)
    if kind != _SUCCESS:
        return None
    attributes = _attributes(data[_HEADER.size :])
    if _XOR_MAPPED in attributes:
        return Mapped(_address(attributes[_XOR_MAPPED], _COOKIE.to_bytes(4, "big") + transaction))
    # Servers of RFC 3489 know the plain one only.
    return Mapped(_address(attributes.get(_MAPPED, b""), bytes(16)))


def _attributes(data: bytes) -> dict[int, bytes]:
    """Return the first attribute of each type; the rest counts for nothing (section 14)."""
    found: dict[int, bytes] = {}
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, place)
        place += _ATTRIBUTE.size
        value = data[place : place + length]
        if len(value) == length:
            found.setdefault(kind, value)
        place += (length + 3) // 4 * 4
    return found


def _address(value: bytes, mask: bytes) -> Address | None:
    """Return the address of an attribute, masked with the cookie and the transaction (section 14.2)."""
    if len(value) == 8 and value[1] == 1:
        return IPv4Address(_xor(value[4:], mask))
    if len(value) == 20 and value[1] == 2:
        address = IPv6Address(_xor(value[4:], mask))
        return address.ipv4_mapped or address
    return None


def _xor(value: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(value, mask, strict=False))
