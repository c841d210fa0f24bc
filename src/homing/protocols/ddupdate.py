"""ddupdate: `GET /<any>?fqdn=H&zoneid=Z&token=T[&ipv4=][&ipv6=][&ttl=]`, one token for one name and zone.

token = hex sha256(fqdn + zone id + the server's token key). Only status 200 is success to its client, which never
reads the body. What it is given on its command line it sends as the text of a Python list: `ipv4=['203.0.113.9']`.
Without `ipv4` the source address is meant; IPv6 only where it is given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homing.core.addresses import Address, parse_address, record_type_of
from homing.core.credentials import Token
from homing.core.errors import InvalidAddress, InvalidName
from homing.core.names import parse_hostname
from homing.core.outcomes import Answer, Outcome
from homing.core.update import HostUpdate, SetAddress, UpdateRequest
from homing.protocols.http import Request, Response, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.core.hosts import RecordType

_LIST = re.compile(r"""\[(['"]?)(.*)\1\]""", re.DOTALL)
_TTL = re.compile(r"[0-9]{1,9}")

_REFUSALS = {
    Outcome.NOT_AUTHENTICATED: (403, "Invalid token"),
    Outcome.NO_SUCH_HOST: (403, "This name cannot be updated"),
    Outcome.LOCKED: (403, "This name is locked"),
    Outcome.ADDRESS_NOT_ALLOWED: (403, "This address is not allowed"),
    Outcome.MALFORMED: (400, "Malformed request"),
}


def is_ddupdate(request: Request) -> bool:
    """Tell whether a request, to whatever path, is of this protocol."""
    return request.method == "GET" and "fqdn" in request.parameters and "token" in request.parameters


def parse(request: Request, source: Address) -> UpdateRequest | Response:
    """Parse a request; one that is incomplete is answered at once."""
    fields = {name: _unlist(value) for name, value in request.parameters.items()}
    fqdn, zone_id, token = fields["fqdn"], fields.get("zoneid", ""), fields["token"]
    if not (fqdn and zone_id and token):
        return text(400, "Missing essential parameters\n")
    try:
        wishes = _wishes(fields, source)
    except InvalidAddress:
        return text(400, "Not an address\n")
    ttl = fields.get("ttl", "")
    if ttl and not _TTL.fullmatch(ttl):
        return text(400, "Not a TTL\n")
    try:
        hostname = parse_hostname(fqdn)
    except InvalidName:
        hostname = None  # answered like a wrong token
    return UpdateRequest(
        proof=Token(token, fqdn, zone_id),
        updates=(HostUpdate(hostname, fqdn, wishes),),
        source=source,
        identity=hostname,
        ttl=int(ttl) if ttl else None,
        creates=True,
    )


def render(answer: Answer) -> Response:
    """Turn what became of it into a status; the text is for people who pass `-v`."""
    if answer.outcome.is_success:
        addresses = " ".join(one.address or "" for host in answer.hosts for one in host.rrsets)
        return text(200, f"Hello! {answer.hosts[0].hostname} {answer.outcome.value} {addresses}\n")
    if answer.outcome in _REFUSALS:
        status, words = _REFUSALS[answer.outcome]
        return text(status, words + "\n")
    return Response(503, b"Try again later\n", headers=(("retry-after", str(answer.retry_after or 60)),))


def _wishes(fields: Mapping[str, str], source: Address) -> dict[RecordType, SetAddress]:
    """Raises InvalidAddress, also for an address of the other family."""
    given = {"A": fields.get("ipv4", ""), "AAAA": fields.get("ipv6", "")}
    wishes: dict[RecordType, SetAddress] = {}
    for record_type, value in given.items():
        if not value:
            continue
        address = parse_address(value)
        if record_type_of(address) != record_type:
            raise InvalidAddress("an address of the other family")
        wishes[record_type_of(address)] = SetAddress(address)
    if not given["A"] and record_type_of(source) not in wishes:
        wishes[record_type_of(source)] = SetAddress(source)
    return wishes


def _unlist(value: str) -> str:
    """Return `203.0.113.9` for `['203.0.113.9']`, and `60` for `[60]`."""
    found = _LIST.fullmatch(value.strip())
    return found[2] if found else value.strip()
