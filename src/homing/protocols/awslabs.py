"""The awslabs hash API, three generations on one endpoint.

    v1, v2  GET  /?mode=get | mode=set&hostname=&hash=[&internalIp=] | mode=list_hosts&hostname=&hash=
    v3      POST / {"execution_mode": "get" | "set", "ddns_hostname": ..., "validation_hash": ...}

GET always answers 200, because v1's PowerShell client dies of anything else; POST answers with real status codes. The
texts are the originals', spelling and all: scripts compare them. `get` answers `{"return_message": "<address>",
"return_status": "success"}` and not a byte more, since clients cut the address out of the raw text.

hash = sha256(address as `get` told it + hostname as sent + secret), lower-case hex.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from homing.core.addresses import Address, parse_address, record_type_of
from homing.core.credentials import LegacyHash
from homing.core.errors import InvalidAddress, InvalidName
from homing.core.names import parse_hostname
from homing.core.outcomes import Answer, Outcome
from homing.core.update import HostUpdate, SetAddress, UpdateRequest
from homing.core.values import frozen
from homing.protocols.http import BadRequest, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.protocols.http import Request

_HASH = re.compile(r"[0-9a-fA-F]{64}")

NO_HASH = "You must pass a valid sha256 hash in the hash= argument."
NO_MODE = "You must pass mode=get, mode=set or mode=list_hosts arguments."
_TRY_LATER = "There was an issue updating the record, try again later."
_UNKNOWN = "Unknown error"


@frozen
class Asked:
    """A request of this API: what for, by which method, and the hostname as sent, which the texts repeat."""

    mode: Literal["set", "list_hosts"]
    is_post: bool
    hostname_text: str
    update: UpdateRequest


def is_awslabs(request: Request) -> bool:
    """Tell whether a request to the root is of this API."""
    return request.method == "POST" or "mode" in request.parameters


def parse(request: Request, source: Address) -> Asked | Response:
    """Parse a request; what needs no store is answered at once."""
    is_post = request.method == "POST" and "mode" not in request.parameters
    fields = _post_fields(request) if is_post else request.parameters
    mode = fields.get("execution_mode" if is_post else "mode", "").strip()
    if mode == "get":
        return _reply(200, str(source), is_success=True, is_post=False)
    if mode not in ("set", "list_hosts"):
        return _failure(400, NO_MODE, is_post=is_post)
    hostname_text = fields.get("ddns_hostname" if is_post else "hostname", "")
    digest = fields.get("validation_hash" if is_post else "hash", "").strip()
    if not _HASH.fullmatch(digest):
        return _failure(400, NO_HASH, is_post=is_post)
    try:
        internal = _parse_internal(fields.get("internalIp", ""), source)
    except InvalidAddress:
        return _failure(400, "internalIp is not an IP address.", is_post=is_post)
    try:
        hostname = parse_hostname(hostname_text)
    except InvalidName:
        hostname = None  # answered like any unknown host
    address = internal or source
    wishes = {record_type_of(address): SetAddress(address, is_named=internal is not None)}
    update = UpdateRequest(
        proof=LegacyHash(digest, source, hostname_text),
        updates=(HostUpdate(hostname, hostname_text, wishes),) if mode == "set" else (),
        source=source,
        identity=hostname,
    )
    return Asked("set" if mode == "set" else "list_hosts", is_post, hostname_text, update)


def render(asked: Asked, answer: Answer) -> Response:
    """Turn what became of it into the words of its generation."""
    if asked.mode == "list_hosts" and answer.outcome.is_success:
        return _reply(200, _group(answer), is_success=True, is_post=asked.is_post)
    address = answer.hosts[0].rrsets[0].address if answer.hosts and answer.hosts[0].rrsets else None
    status, message = _v3(asked, answer, address) if asked.is_post else (200, _v2(asked, answer, address))
    return _reply(status, message, is_success=answer.outcome.is_success, is_post=asked.is_post)


def refuse(status: int, message: str, *, is_post: bool) -> Response:
    """Answer what a runtime cannot hand on. GET still hears 200."""
    return _failure(status, message, is_post=is_post)


def unavailable(*, is_post: bool) -> Response:
    """Answer that nothing is known to have been done, in the words that `render` has for it."""
    return _failure(500, _UNKNOWN if is_post else _TRY_LATER, is_post=is_post)


def _v2(asked: Asked, answer: Answer, address: str | None) -> str:
    host = asked.hostname_text
    match answer.outcome:
        case Outcome.UPDATED:
            return f"Your hostname record {host} has been set to {address}"
        case Outcome.UNCHANGED:
            return "Your IP address matches the current Route53 DNS record."
        case Outcome.NOT_AUTHENTICATED:
            return "Validation hashes do not match."
        case Outcome.LOCKED:
            return f"The record for {host} is locked, update denied."
        case Outcome.ADDRESS_NOT_ALLOWED:
            return f"DDB Permissions for {host} disallow internal IPs, update denied."
        case Outcome.NO_READ_PRIVILEGE:
            return "record lacks read permissions"
        case Outcome.NO_SUCH_HOST | Outcome.NOT_A_FQDN:
            return f"There was an issue finding or reading the DyanmoDB config item for {host}"
    return _TRY_LATER


def _v3(asked: Asked, answer: Answer, address: str | None) -> tuple[int, str]:
    match answer.outcome:
        case Outcome.UPDATED:
            return 201, f"{asked.hostname_text} has been updated to {address}"
        case Outcome.UNCHANGED:
            return 200, "Your IP address matches the current Route53 DNS record."
        case Outcome.NOT_AUTHENTICATED:
            return 401, "Validation hashes do not match."
        case Outcome.NOT_A_FQDN | Outcome.MALFORMED:
            return 400, f"There was an issue finding or reading {asked.hostname_text} configuration"
        case Outcome.NO_SUCH_HOST:
            return 403, f"There was an issue finding or reading {asked.hostname_text} configuration"
        case Outcome.LOCKED | Outcome.ADDRESS_NOT_ALLOWED | Outcome.NO_READ_PRIVILEGE:
            return 403, _v2(asked, answer, address)
    return 500, _UNKNOWN


def _group(answer: Answer) -> list[dict[str, str]]:
    """The keys of the awslabs index; a host without a MAC address is listed without one, as DynamoDB would."""
    listed = []
    for host in answer.group:
        entry: dict[str, str] = {"hostname": host.hostname, "record_type": host.record_type}
        if host.mac_address:
            entry["mac_address"] = host.mac_address
        listed.append(entry)
    return listed


def _post_fields(request: Request) -> Mapping[str, str]:
    """Return the members of the body; key order, white space and the content type do not matter."""
    try:
        members: Any = request.json()
    except BadRequest:
        return {}
    if not isinstance(members, dict):
        return {}
    return {name: value for name, value in members.items() if isinstance(value, str)}


def _parse_internal(text: str, source: Address) -> Address | None:
    """`internalIp` equal to the source is the same as none: v1's client.sh always sends it."""
    if not text.strip():
        return None
    address = parse_address(text.strip())
    return None if address == source else address


def _failure(status: int, message: str, *, is_post: bool) -> Response:
    return _reply(status if is_post else 200, message, is_success=False, is_post=is_post)


def _reply(status: int, message: object, *, is_success: bool, is_post: bool) -> Response:
    """v3's POST puts the status first, all others the message; separators are Python's own."""
    members = {"return_message": message, "return_status": "success" if is_success else "fail"}
    if is_post:
        members = dict(reversed(members.items()))
    return Response(status, json.dumps(members).encode(), "application/json")
