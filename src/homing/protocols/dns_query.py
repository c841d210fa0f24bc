"""DNS queries: query bytes -> response bytes, from zones in memory. Authoritative only, and never an exception.

No question gets more than it asked for: no additional section but glue and OPT, a minimal answer to ANY (RFC 8482),
an empty REFUSED outside the zones, and at most 1,232 octets over UDP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from homing.core.names import parent
from homing.core.zone_lookup import Alias, Answer, NoData, NxDomain, Referral
from homing.protocols.dns_message import (
    AA,
    DO,
    HEADER,
    IN,
    OPT,
    QR,
    QUERY,
    RD,
    TC,
    Edns,
    FormatError,
    Query,
    parse_query,
)
from homing.protocols.dns_render import Renderer, type_to_text

if TYPE_CHECKING:
    from homing.core.names import Name
    from homing.core.zone import Zone
    from homing.core.zone_lookup import Lookup, OwnedRRset

PAYLOAD = 1232
"""The longest UDP answer, and what OPT offers: it fits every path unfragmented (DNS Flag Day 2020)."""

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 0, 1, 2, 3, 4, 5, 9, 16

_OPCODE = 0x7800
_PLAIN_PAYLOAD = 512  # without EDNS, RFC 1035 section 4.2.1
_TCP_PAYLOAD = 65535
_DS, _NXNAME, _ANY = 43, 128, 255
_OPT_LENGTH = 11


class ZoneFinder(Protocol):
    """Whatever knows the zones, `core.zone.Zones` for one."""

    def get_zone_of(self, name: Name) -> Zone | None:
        """Return the deepest zone that the name is in."""


class Reply(NamedTuple):
    """A response, and what those who keep or limit responses need to know about it."""

    wire: bytes
    rcode: int
    like: str
    """Equal for responses that are the same to an attacker: what response rate limiting counts together."""
    edns: bool
    zone: Zone | None = None
    """The zone that answered; the response holds for as long as its version is `version`."""
    version: int = 0
    reusable: bool = False
    """Whether the same octets, but for the id, would get the same response from anybody."""
    basis: OwnedRRset | None = None
    """The RRset that alone makes this response: while it stands, the response holds, whatever the version."""


def answer(wire: bytes, zones: ZoneFinder, *, udp: bool) -> bytes | None:
    """Return the response to a message, or None where silence is right: no header, or itself a response."""
    reply = respond(wire, zones, udp=udp)
    return None if reply is None else reply.wire


def respond(wire: bytes, zones: ZoneFinder, *, udp: bool) -> Reply | None:
    """Do what `answer` does, and tell what the response rests on."""
    if len(wire) < HEADER.size or wire[2] & 0x80:
        return None
    if wire[2] >> 3 & 0xF != QUERY:
        return _bare(wire, NOTIMP)  # what follows the header has a meaning that is not known here
    try:
        query = parse_query(wire)
    except FormatError:
        return _bare(wire, FORMERR)
    if (rcode := _objection(query)) is not None:
        return _error(wire, query, rcode)
    zone = _find_zone(query, zones)
    if zone is None:
        return _error(wire, query, REFUSED)
    version = zone.version  # before the lookup: a change meanwhile makes the reply too old to keep, never too new
    outcome = zone.lookup(query.name, type_to_text(query.rtype))
    reply = _render(wire, query, zone, outcome, version=version)
    return reply if len(reply.wire) <= _limit(query.edns, udp=udp) else reply._replace(wire=truncate(reply))


def servfail(wire: bytes) -> bytes | None:
    """Return the response for when something in here is broken."""
    return _bare(wire, SERVFAIL).wire if len(wire) >= HEADER.size and not wire[2] & 0x80 else None


def truncate(reply: Reply) -> bytes:
    """Return the response without its records, marked as cut: the client asks again over TCP (RFC 2181 section 9)."""
    wire = reply.wire
    id_, flags, questions, *_ = HEADER.unpack_from(wire)
    end = HEADER.size
    if questions:
        while wire[end]:
            end += 1 + wire[end]
        end += 5
    opt = wire[-_OPT_LENGTH:] if reply.edns else b""
    return HEADER.pack(id_, flags | TC, questions, 0, 0, 1 if opt else 0) + wire[HEADER.size : end] + opt


def _objection(query: Query) -> int | None:
    """Return the rcode for a well-formed message that gets no lookup, or None."""
    if query.edns and query.edns.version > 0:
        return BADVERS
    if query.signed:
        return NOTAUTH  # no key is known here, RFC 8945 section 5.2.1
    if query.rtype in {0, OPT, _NXNAME}:
        return FORMERR  # never a question: RFC 6895 section 3.1, RFC 9824 section 3.4
    if query.rclass != IN or _NXNAME < query.rtype < _ANY:
        return REFUSED  # foreign classes; AXFR, IXFR and the other meta types (RFC 6895 section 3.1)
    return None


def _find_zone(query: Query, zones: ZoneFinder) -> Zone | None:
    """Return the zone that answers. The DS of a zone is its parent's, if both are here (RFC 4035 section 3.1.4.1)."""
    zone = zones.get_zone_of(query.name)
    if zone and query.rtype == _DS and zone.apex == query.name and (above := parent(query.name)):
        return zones.get_zone_of(above) or zone
    return zone


def _render(wire: bytes, query: Query, zone: Zone, outcome: Lookup, *, version: int) -> Reply:
    renderer = Renderer(query.question, query.name)
    answers = sum(map(renderer.write, outcome.chain))
    authorities = additional = 0
    authoritative = AA
    if isinstance(outcome, Answer):
        answers += renderer.write(outcome.found)
    elif isinstance(outcome, Referral):
        authorities = renderer.write(outcome.ns)
        additional = sum(map(renderer.write, outcome.glue))
        authoritative = AA if answers else 0
    elif isinstance(outcome, NoData | NxDomain):
        authorities = renderer.write(zone.authority, zone.negative_ttl)
    rcode = NXDOMAIN if isinstance(outcome, NxDomain) else NOERROR
    opt = _opt(query.edns, rcode)
    flags = _flags(wire, rcode) | authoritative
    counts = (1, answers, authorities, additional + (1 if opt else 0))
    return Reply(
        wire[:2] + HEADER.pack(0, flags, *counts)[2:] + renderer.body + opt,
        rcode,
        _like(zone, query, outcome),
        bool(opt),
        zone,
        version,
        # Names that do not exist are without number: they must not push the answers of others out.
        reusable=rcode == NOERROR and not (query.edns and query.edns.has_options),
        basis=_basis(query, outcome),
    )


def _basis(query: Query, outcome: Lookup) -> OwnedRRset | None:
    """Return the RRset found at the very name and type asked for: while it stands there, nothing else can matter.

    One that a wildcard gave does not stand there, so it is never mistaken for one that does.
    """
    if isinstance(outcome, Answer) and not outcome.chain and query.rtype != _ANY:
        return outcome.found
    return None


def _like(zone: Zone, query: Query, outcome: Lookup) -> str:
    if isinstance(outcome, Answer):
        return f"answer {outcome.source}"
    if isinstance(outcome, Alias):
        return f"answer {query.name}"
    if isinstance(outcome, Referral):
        return f"referral {outcome.ns.key.name}"
    return f"{type(outcome).__name__} {zone.apex}"


def _limit(edns: Edns | None, *, udp: bool) -> int:
    """Return how long the response may be, in octets (RFC 6891 section 6.2.5)."""
    if not udp:
        return _TCP_PAYLOAD
    return _PLAIN_PAYLOAD if edns is None else min(max(edns.payload, _PLAIN_PAYLOAD), PAYLOAD)


def _error(wire: bytes, query: Query, rcode: int) -> Reply:
    opt = _opt(query.edns, rcode)
    head = wire[:2] + HEADER.pack(0, _flags(wire, rcode), 1, 0, 0, 1 if opt else 0)[2:]
    return Reply(head + query.question + opt, rcode, "error", bool(opt))


def _bare(wire: bytes, rcode: int) -> Reply:
    """Answer what could not be read with nothing but a header."""
    return Reply(wire[:2] + HEADER.pack(0, _flags(wire, rcode), 0, 0, 0, 0)[2:], rcode, "error", edns=False)


def _flags(wire: bytes, rcode: int) -> int:
    """Echo the opcode and RD; RA, AD, CD and Z are 0 (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6)."""
    asked = wire[2] << 8
    return QR | asked & _OPCODE | asked & RD | rcode & 0xF


def _opt(edns: Edns | None, rcode: int) -> bytes:
    """Answer OPT with OPT: version 0, our payload, DO as it was asked (RFC 6891 section 6.1.1, RFC 3225 section 3)."""
    if edns is None:
        return b""
    flags = DO if edns.dnssec_ok else 0
    return b"\0" + b"".join(number.to_bytes(2, "big") for number in (OPT, PAYLOAD, rcode >> 4 << 8, flags, 0))
