"""NAT-PMP (RFC 6886) and PCP (RFC 6887): asking the router for its own IPv4 address.

NAT-PMP has a question for it. PCP has none, so that a mapping is asked for, which names the address, and given back.
"""

from __future__ import annotations

import contextlib
import secrets
import struct
import time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from homing.client import udp
from homing.client.remote import ServerUnreachable
from homing.core.values import frozen

if TYPE_CHECKING:
    import socket

    from homing.client.remote import Line
    from homing.core.addresses import Address

PORT = 5351
_MAP_LIFETIME = 30
"""Seconds: should the mapping not be given back, it is gone soon."""
_PUBLIC_ADDRESS = b"\0\0"
_NAT_PMP = struct.Struct("!BBHI4s")
_PCP = struct.Struct("!BBBBII12s")
_MAP = struct.Struct("!12sB3xHH16s")
_UDP_PROTOCOL = 17
_PCP_VERSION, _OP_MAP, _ANSWER = 2, 1, 0x80
_UNSUPPORTED_VERSION = 1
_NO_ADDRESS = "it has no public address itself: its line is down, or it stands behind another NAT"
_NAT_PMP_WORDS = {0: _NO_ADDRESS, 2: "it is told not to", 3: _NO_ADDRESS, 4: "it has no room for another mapping"}
"""RFC 6886 section 3.5."""
_PCP_WORDS = {
    0: _NO_ADDRESS, 2: "it is told not to", 7: _NO_ADDRESS, 8: "it has no room for another mapping",
    10: "this machine has too many mappings there", 12: "another NAT stands between it and this machine",
}  # fmt: skip
"""RFC 6887 section 7.4."""


@frozen
class Told:
    """What a router said: an address; or that it speaks the other version; or that it refuses."""

    address: Address | None = None
    wants_pcp: bool = False
    code: int = 0


def find_address(router: str, port: int, line: Line) -> Address:
    """Return the router's own address. Raises ServerUnreachable."""
    deadline, words = time.monotonic() + line.timeout, _NAT_PMP_WORDS
    with udp.connected(router, port, 4, line, deadline) as opened:
        told = udp.ask(opened, _PUBLIC_ADDRESS, parse_nat_pmp, deadline=deadline)
        if told.wants_pcp:
            told, words = _ask_pcp(opened, deadline), _PCP_WORDS
    if told.address is None:
        why = words.get(told.code, "it does not say why")
        raise ServerUnreachable(f"{router}: the router does not tell its address: {why} (code {told.code})")
    return told.address


def parse_nat_pmp(data: bytes) -> Told | None:
    """Return what an answer says (RFC 6886 section 3.2); None for what is none.

    A router that speaks PCP only answers in its own version, code 1 (RFC 6887 appendix A).
    """
    if len(data) >= 4 and data[0] == _PCP_VERSION and data[1] & _ANSWER:
        return Told(wants_pcp=True)
    if len(data) < 4 or data[0] != 0 or data[1] != _ANSWER:
        return None
    code = int.from_bytes(data[2:4], "big")
    if code == _UNSUPPORTED_VERSION:
        return Told(wants_pcp=True)
    if code or len(data) != _NAT_PMP.size:
        return Told(code=code) if code else None
    address = IPv4Address(_NAT_PMP.unpack(data)[4])
    return Told(None if address.is_unspecified else address)


def make_map(client: Address, nonce: bytes, port: int, lifetime: int) -> bytes:
    """Return a request for a mapping of one of our UDP ports; a lifetime of 0 gives it back (sections 7.1 and 11.1)."""
    header = _PCP.pack(_PCP_VERSION, _OP_MAP, 0, 0, lifetime, 0, b"")[:8] + _mapped(client)
    return header + _MAP.pack(nonce, _UDP_PROTOCOL, port, 0, _mapped(IPv4Address(0)))


def parse_map(data: bytes, nonce: bytes) -> Told | None:
    """Return what an answer says (sections 7.2 and 11.1); None for what does not answer this request."""
    if len(data) < _PCP.size or data[0] != _PCP_VERSION or data[1] != _ANSWER | _OP_MAP:
        return None
    if data[3]:
        return Told(code=data[3])
    if len(data) < _PCP.size + _MAP.size:
        return None
    found, _, _, _, external = _MAP.unpack_from(data, _PCP.size)
    if found != nonce:
        return None
    address = IPv6Address(external)
    return Told(None if address.is_unspecified else address.ipv4_mapped or address)


def _ask_pcp(opened: socket.socket, deadline: float) -> Told:
    client, port = opened.getsockname()[:2]
    nonce = secrets.token_bytes(12)
    own = IPv4Address(client)
    told = udp.ask(
        opened, make_map(own, nonce, port, _MAP_LIFETIME), lambda data: parse_map(data, nonce), deadline=deadline
    )
    if told.address is not None:
        with contextlib.suppress(OSError):  # else it is gone soon
            opened.send(make_map(own, nonce, port, 0))
    return told


def _mapped(address: Address) -> bytes:
    """Return sixteen bytes; an IPv4 address is mapped (section 5)."""
    return b"\0" * 10 + b"\xff\xff" + address.packed if address.version == 4 else address.packed
