"""What DNS shows of a name: a stub resolver for A and AAAA over UDP, within one deadline (RFC 1035, RFC 5452).

Only to check what is thought to be right: an answer that cannot be had, or cannot be read, is None and decides nothing.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from homing.core.errors import InvalidAddress, InvalidName
from homing.core.names import labels, parse_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.core.addresses import Address
    from homing.core.hosts import RecordType

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_TYPES: dict[RecordType, int] = {"A": 1, "AAAA": 28}
_IN, _CNAME = 1, 5
_RECURSION, _RESPONSE, _TRUNCATED = 0x0100, 0x8000, 0x0200
_NOERROR, _NXDOMAIN = 0, 3
_MAX_UDP = 1232
_EDNS = b"\0" + struct.pack("!HHIH", 41, _MAX_UDP, 0, 0)
_MAX_RECORDS = 64
_PORT = 53
_RESOLV_CONF = "/etc/resolv.conf"


def ask_dns(
    name: str, record_type: RecordType, server: tuple[str, int] | None = None, timeout: float = 5.0
) -> frozenset[Address] | None:
    """Return the addresses that DNS shows, none where there is no such record, or None where nobody answers.

    `server` is an address and a port; without it the system's resolvers are asked in turn. `timeout` is in seconds.
    """
    servers = [server] if server is not None else find_resolvers()
    deadline = time.monotonic() + timeout
    for number, one in enumerate(servers):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            found = _ask_one(name, record_type, one, left / (len(servers) - number))
        except (OSError, InvalidName, UnicodeError):
            continue
        if found is not None:
            return found
    return None


def find_resolvers(path: str = _RESOLV_CONF) -> list[tuple[str, int]]:
    """Return the name servers of resolv.conf; what cannot be read names none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read(65_536).splitlines()
    except OSError:
        return []
    found = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    return [(address, _PORT) for address in found[:3]]


def make_query(number: int, name: str, record_type: RecordType) -> bytes:
    """Return a query; `number` is its id. Raises InvalidName."""
    parts = labels(parse_name(name))
    question = b"".join(bytes([len(part)]) + part.encode("ascii") for part in parts) + b"\0"
    return (
        _HEADER.pack(number, _RECURSION, 1, 0, 0, 1) + question + struct.pack("!HH", _TYPES[record_type], _IN) + _EDNS
    )


def parse_answer(query: bytes, wire: bytes, record_type: RecordType) -> frozenset[Address] | None:
    """Return the addresses of an answer to this query; None for what is no answer to it, is cut short, or an error.

    Aliases are followed by whoever answers: every address in the answer section counts.
    """
    try:
        _, flags, _, answers, _, _ = _HEADER.unpack_from(wire)
        place = len(query) - len(_EDNS)
        if not answers_question(query, wire) or flags & _TRUNCATED:
            return None
        if flags & 15 not in (_NOERROR, _NXDOMAIN) or answers > _MAX_RECORDS:
            return None
        found: set[Address] = set()
        for _ in range(answers):
            place = _skip_name(wire, place)
            kind, rclass, _, length = _RECORD.unpack_from(wire, place)
            place += _RECORD.size
            data = wire[place : place + length]
            place += length
            if len(data) != length or rclass != _IN:
                return None
            if kind == _TYPES[record_type]:
                found.add(_address(record_type, data))
    except (struct.error, InvalidAddress):
        return None
    return frozenset(found)


def answers_question(query: bytes, wire: bytes) -> bool:
    """Tell whether a datagram is the response to this query, whatever it says (RFC 5452 section 9.1)."""
    if len(wire) < _HEADER.size:
        return False
    number, flags, questions, *_ = _HEADER.unpack_from(wire)
    place = len(query) - len(_EDNS)
    is_same = questions == 1 and wire[12:place].lower() == query[12:place].lower()
    # A server that could not read the question repeats none.
    is_bare = questions == 0 and flags & 15 not in (_NOERROR, _NXDOMAIN)
    return number == _HEADER.unpack_from(query)[0] and bool(flags & _RESPONSE) and (is_same or is_bare)


def _address(record_type: RecordType, data: bytes) -> Address:
    if len(data) != (4 if record_type == "A" else 16):
        raise InvalidAddress("an address of another length")
    return IPv4Address(data) if record_type == "A" else IPv6Address(data)


def _skip_name(wire: bytes, place: int) -> int:
    """Return where a name ends. What it says does not matter, so that no pointer is followed. Raises struct.error."""
    while True:
        (length,) = struct.unpack_from("!B", wire, place)
        if length >= 0xC0:
            struct.unpack_from("!H", wire, place)
            return place + 2
        place += 1 + length
        if length == 0:
            return place


def _ask_one(name: str, record_type: RecordType, server: tuple[str, int], timeout: float) -> frozenset[Address] | None:
    """Ask twice; datagrams that do not answer the question are not listened to. Raises OSError, InvalidName."""
    query = make_query(int.from_bytes(os.urandom(2)), name, record_type)
    family, _, _, _, place = socket.getaddrinfo(
        server[0].encode(), server[1], type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )[0]
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect(place)
        for _ in range(2):
            asking.send(query)
            end = time.monotonic() + timeout / 2
            while (left := end - time.monotonic()) > 0:
                asking.settimeout(left)
                try:
                    wire = asking.recv(4096)
                except TimeoutError:
                    break
                if answers_question(query, wire):
                    return parse_answer(query, wire, record_type)
    return None


def shows(found: frozenset[Address] | None, addresses: Sequence[Address]) -> bool:
    """Tell whether DNS was seen to show exactly these."""
    return found is not None and found == frozenset(addresses)
