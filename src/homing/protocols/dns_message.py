"""The query side of the DNS wire format: bytes -> `Query`, or FormatError. Nothing is looked up here.

One pass over the message, in time linear in its length: every record of every section is walked, none is trusted.
Compression pointers have to point backwards, and names that decide nothing are not followed through them.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from homing.core.errors import InvalidInput
from homing.core.names import Name

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = struct.Struct("!HHHHHH")
QUERY = 0
"""The only opcode that is answered (RFC 1035 section 4.1.1)."""

QR, AA, TC, RD, DO = 0x8000, 0x0400, 0x0200, 0x0100, 0x8000
IN, ANY_CLASS = 1, 255
OPT, SIG, TSIG = 41, 24, 250

_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_OPTION = struct.Struct("!HH")
_PLAIN = re.compile(rb"[a-z0-9_*.-]+")


class FormatError(InvalidInput):
    """The message is no DNS message; the answer is FORMERR."""


class Edns(NamedTuple):
    """What an OPT record says (RFC 6891 section 6.1.3)."""

    payload: int
    version: int
    dnssec_ok: bool
    has_options: bool


class Query(NamedTuple):
    """A message with one question (RFC 9619)."""

    question: bytes
    """The question section byte for byte: the answer repeats it, so that mixed case (0x20) comes back."""
    name: Name
    """The name asked for, in lower case. Octets no host name has are escapes, so every dot separates labels."""
    rtype: int
    rclass: int
    edns: Edns | None
    signed: bool
    """A TSIG or SIG(0) record stood at the end (RFC 8945, RFC 2931)."""


def parse_query(wire: bytes) -> Query:
    """Read a message of at least 12 octets. Raises FormatError."""
    try:
        return _parse(wire)
    except (IndexError, struct.error) as error:
        raise FormatError("the message ends too early") from error


def _parse(wire: bytes) -> Query:
    _, _, questions, answers, authorities, additional = HEADER.unpack_from(wire)
    if questions != 1:
        raise FormatError(f"{questions} questions")
    name, end = _read_question_name(wire)
    rtype, rclass = _QUESTION.unpack_from(wire, end)
    end += 4
    question = wire[12:end]
    edns: Edns | None = None
    signed = False
    for index in range(answers + authorities + additional):
        start = end
        end = _skip_name(wire, start)
        kind, class_, ttl, length = _RECORD.unpack_from(wire, end)
        end += 10 + length
        if kind == OPT:
            if edns is not None or wire[start] != 0 or index < answers + authorities:
                raise FormatError("an OPT record out of place")
            _check_options(wire[end - length : end])
            edns = Edns(class_, ttl >> 16 & 0xFF, bool(ttl & DO), length > 0)
        elif kind in {TSIG, SIG} and index >= answers + authorities:
            if index != answers + authorities + additional - 1:
                raise FormatError("a signature that is not the last record")
            signed = True
    if end != len(wire):
        raise FormatError("octets after the end")
    return Query(question, name, rtype, rclass, edns, signed)


def _read_question_name(wire: bytes) -> tuple[Name, int]:
    """Return the name that begins after the header, and where it ends. There is nothing yet to point back to."""
    labels = []
    position = 12
    while length := wire[position]:
        if length > 63:
            raise FormatError("no plain label in the question")
        labels.append(wire[position + 1 : position + 1 + length])
        position += 1 + length
    if position > 12 + 254:
        raise FormatError("a name longer than 255 octets")
    return name_from_labels(labels), position + 1


def name_from_labels(labels: Sequence[bytes]) -> Name:
    """Return the name made of these labels, the root left out; octets that no host name has become decimal escapes."""
    joined = b".".join(labels).lower()
    if _PLAIN.fullmatch(joined) and joined.count(b".") == len(labels) - 1:
        return Name(joined.decode("ascii") + ".")
    return Name("".join(_escape(label.lower()) + "." for label in labels) or ".")


def _escape(label: bytes) -> str:
    return "".join(
        chr(octet) if octet != 0x2E and _PLAIN.fullmatch(bytes([octet])) else f"\\{octet:03}" for octet in label
    )


def _skip_name(wire: bytes, position: int) -> int:
    """Return where the name ends; at most one pointer, backwards, ends it (RFC 1035 section 4.1.4)."""
    start = position
    while length := wire[position]:
        if length >= 0xC0:
            if (length & 0x3F) << 8 | wire[position + 1] >= start:
                raise FormatError("a compression pointer that does not point backwards")
            return position + 2
        if length > 63:
            raise FormatError("an unknown kind of label")
        position += 1 + length
        if position - start > 254:
            raise FormatError("a name longer than 255 octets")
    return position + 1


def _check_options(rdata: bytes) -> None:
    """Walk the options without looking into them (RFC 6891 section 6.1.2)."""
    position = 0
    while position < len(rdata):
        position += 4 + _OPTION.unpack_from(rdata, position)[1]
    if position != len(rdata):
        raise FormatError("an EDNS option ends too early")
