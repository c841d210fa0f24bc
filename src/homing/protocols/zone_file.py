"""Records as an operator writes them, one a line, in the zone file format (RFC 1035 section 5) -> RRsets.

    @    MX 10 mail
    www  300 IN A 192.0.2.1
    txt  TXT "hello"

Only records: no directives, no continuation lines, no owner left out. Whether they make a zone, `core.zone` tells.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.zonefile

from homing.core.errors import InvalidInput
from homing.core.names import Name, parse_name
from homing.core.records import RRset, RRsetKey
from homing.protocols.dns_message import name_from_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

_TARGET_ONLY = frozenset({"CNAME", "NS", "PTR"})
_MX = "MX"


def parse_records(lines: Iterable[str], zone: Name, default_ttl: int) -> dict[RRsetKey, RRset]:
    """Return the RRsets that the lines make up.

    Names without a final dot are relative to the zone; `@` is the zone itself. A record without a TTL gets
    `default_ttl`, in seconds; records of one RRset get the smallest of theirs (RFC 2181 section 5.2). RDATA come in
    canonical form and order (RFC 4034 sections 6.2 and 6.3), so equal sets are equal values.
    Raises InvalidInput with a line for each that cannot be read.
    """
    ttls: dict[RRsetKey, int] = {}
    rdatas: dict[RRsetKey, dict[bytes, str]] = {}
    problems: list[str] = []
    for line in lines:
        try:
            key, ttl, rdata = _parse_line(line, zone, default_ttl)
        except InvalidInput as error:
            problems.append(f"record {line[:100]!r}: {error}")
            continue
        ttls[key] = min(ttl, ttls.get(key, ttl))
        rdatas.setdefault(key, {})[rdata.to_digestable()] = _to_text(key.type, rdata)
    if problems:
        raise InvalidInput("\n".join(problems))
    return {key: RRset(ttls[key], tuple(text for _, text in sorted(texts.items()))) for key, texts in rdatas.items()}


def _parse_line(line: str, zone: Name, default_ttl: int) -> tuple[RRsetKey, int, dns.rdata.Rdata]:
    if line[:1].isspace():
        raise InvalidInput("does not begin with an owner name")
    if "\n" in line or "\r" in line:
        raise InvalidInput("is more than one line")
    if line.startswith("$"):
        raise InvalidInput("directives are not supported")
    owner_text, *rest = re.split("[ \t]+", line, maxsplit=1)
    owner = _parse_owner(owner_text, zone)
    try:
        found = dns.zonefile.read_rrsets("".join(rest), name=owner, rdclass=None, default_ttl=default_ttl, origin=zone)
    except (dns.exception.DNSException, ValueError, ArithmeticError, struct.error) as error:
        raise InvalidInput(_reason(error)) from error
    if len(found) != 1:
        raise InvalidInput("holds no record")
    [rdata] = found[0]
    try:
        canonical = _canonical(rdata)
    except (ValueError, ArithmeticError, struct.error) as error:  # dnspython reads some RDATA that it cannot encode
        raise InvalidInput("cannot be encoded") from error
    return RRsetKey(owner, dns.rdatatype.to_text(found[0].rdtype)), found[0].ttl, canonical


def _parse_owner(text: str, zone: Name) -> Name:
    if text == "@":
        return zone
    if text.endswith("."):
        return parse_name(text)
    return parse_name(text + "." + zone if zone != "." else text)


def _canonical(rdata: dns.rdata.Rdata) -> dns.rdata.Rdata:
    """Return it with names in lower case, for the types of RFC 4034 section 6.2."""
    wire = rdata.to_digestable()
    return dns.rdata.from_wire(rdata.rdclass, rdata.rdtype, wire, 0, len(wire))


def _to_text(type_text: str, rdata: dns.rdata.Rdata) -> str:
    """Return the presentation format; host names inside it in the form that `Name` has."""
    if type_text in _TARGET_ONLY:
        return _to_name(rdata.target)  # type: ignore[attr-defined]  # the class is made at run time, by type
    if type_text == _MX:
        return f"{rdata.preference} {_to_name(rdata.exchange)}"  # type: ignore[attr-defined]  # as above
    return rdata.to_text()


def _to_name(name: dns.name.Name) -> Name:
    return name_from_labels(name.labels[:-1])


def _reason(error: Exception) -> str:
    """Return what dnspython says, without the place inside its input."""
    return str(error).rpartition("<input>:1: ")[2] or "cannot be read"
