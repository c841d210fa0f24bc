"""The answer side of the DNS wire format: RRsets in presentation format -> octets, with name compression.

Addresses and names are written here; the RDATA of rarer types is turned by dnspython, which is imported when the first
such record is. What the RRsets say is not judged: RDATA that is none raises ValueError or a dnspython error.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import dns.rdatatype

from homing.core.names import Name
from homing.protocols.dns_message import IN

if TYPE_CHECKING:
    from homing.core.zone_lookup import OwnedRRset

_FIXED = struct.Struct("!HHIH")
_POINTER_LIMIT = 0x4000
_QNAME = b"\xc0\x0c"
"""A pointer to the name in the question, which always begins at octet 12."""

_TYPES = {int(rtype): dns.rdatatype.to_text(rtype) for rtype in dns.rdatatype.RdataType}
_NUMBERS = {text: number for number, text in _TYPES.items()}


def type_to_text(rtype: int) -> str:
    """Return the mnemonic, or `TYPE65280` for a type that has none (RFC 3597 section 5)."""
    return _TYPES.get(rtype) or f"TYPE{rtype}"


class Renderer:
    """Writes records after the header and the question of one message."""

    def __init__(self, question: bytes, name: Name) -> None:
        self.body = bytearray(question)
        self._asked = name
        self._offsets: dict[str, int] | None = None

    def write(self, owned: OwnedRRset, ttl: int | None = None) -> int:
        """Write all records of an RRset, and return how many that is."""
        (owner, type_text), rrset = owned
        rtype = _NUMBERS.get(type_text) or int(dns.rdatatype.from_text(type_text))
        for text in rrset.rdata:
            self._write_name(owner)
            start = len(self.body)
            self.body += _FIXED.pack(rtype, IN, rrset.ttl if ttl is None else ttl, 0)
            self._write_rdata(type_text, text)
            struct.pack_into("!H", self.body, start + 8, len(self.body) - start - 10)
        return len(rrset.rdata)

    def _write_rdata(self, type_text: str, text: str) -> None:
        """Compress names only where RFC 3597 section 4 lets them be: in the types of RFC 1035."""
        if type_text in {"NS", "CNAME", "PTR"}:
            self._write_name(Name(text))
        elif type_text == "MX":
            preference, exchange = text.split()
            self.body += struct.pack("!H", int(preference))
            self._write_name(Name(exchange))
        elif type_text == "SOA":
            mname, rname, *numbers = text.split()
            self._write_name(Name(mname))
            self._write_name(Name(rname))
            self.body += struct.pack("!IIIII", *map(int, numbers))
        else:
            self.body += _to_octets(type_text, text)

    def _write_name(self, name: Name) -> None:
        if name == self._asked:
            self.body += _QNAME
            return
        offsets = self._offsets_so_far()
        rest: str = name
        while rest != ".":
            if (offset := offsets.get(rest)) is not None:
                self.body += struct.pack("!H", 0xC000 | offset)
                return
            if (here := 12 + len(self.body)) < _POINTER_LIMIT:
                offsets[rest] = here
            label, _, rest = rest.partition(".")
            octets = _to_label(label)
            self.body.append(len(octets))
            self.body += octets
            rest = rest or "."
        self.body.append(0)

    def _offsets_so_far(self) -> dict[str, int]:
        """Return where names already stand; at first, the question's name and those above it."""
        if self._offsets is None:
            self._offsets = {}
            position, rest = 12, self._asked.rstrip(".")
            while rest:
                self._offsets[rest + "."] = position
                position += 1 + self.body[position - 12]
                rest = rest.partition(".")[2]
        return self._offsets


def _to_label(label: str) -> bytes:
    if "\\" not in label:
        return label.encode("ascii")
    plain, *escapes = label.split("\\")
    return plain.encode("ascii") + b"".join(bytes([int(part[:3])]) + part[3:].encode("ascii") for part in escapes)


@lru_cache(maxsize=8192)
def _to_octets(type_text: str, text: str) -> bytes:
    if type_text == "A":
        return IPv4Address(text).packed
    if type_text == "AAAA":
        return IPv6Address(text).packed
    import dns.rdata
    import dns.rdataclass

    return dns.rdata.from_text(dns.rdataclass.IN, type_text, text, relativize=False).to_wire() or b""
