"""The signed request: replay-proof, atomic for a whole group, and still made with curl and openssl.

    POST /v1/update
    Homing-Signature: t=<milliseconds since 1970>,v1=<hex HMAC-SHA256(secret, t "." body)>

    {"hostname": "cam.home.example.", "addresses": ["203.0.113.7", "2001:db8::7"]}
    {"hostname": "cam.home.example.", "prefix": "2001:db8:1::/64"}
    {"as": "nas.home.example.", "updates": [{"hostname": ..., "addresses": [...]}, ...]}

    POST /v1/hosts  {"as": "nas.home.example."}        the group, for whoever sets names for a whole network

The addresses stand under the signature. A request that would change a host is refused unless `t` is newer than the
host's last change; so a replayed one is a no-op or stale, and nothing has to be remembered but one number a host.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homing.core.addresses import parse_address, parse_prefix, record_type_of
from homing.core.credentials import parse_signature, render_signature
from homing.core.errors import InvalidInput
from homing.core.names import MAX_U_NAMES, Name, parse_hostname
from homing.core.outcomes import Answer, Outcome
from homing.core.rows import MAX_ROWS
from homing.core.update import HostUpdate, SetAddress, SetPrefix, UpdateRequest, Wish
from homing.protocols.http import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.core.addresses import Address
    from homing.core.hosts import RecordType

UPDATE_PATH = "/v1/update"
HOSTS_PATH = "/v1/hosts"
HEADER = "homing-signature"

_STATUS = {
    Outcome.UPDATED: 200,
    Outcome.UNCHANGED: 200,
    Outcome.NOT_AUTHENTICATED: 401,
    Outcome.SKEWED: 409,
    Outcome.STALE: 409,
    Outcome.MALFORMED: 400,
    Outcome.NOT_A_FQDN: 400,
    Outcome.UNAVAILABLE: 503,
    Outcome.PUBLISH_REJECTED: 503,
}


def parse(request: Request, source: Address) -> UpdateRequest | Response:
    """Parse a request to UPDATE_PATH; what is malformed is answered at once."""
    try:
        proof = _parse_proof(request)
        members = _members(request)
        identity, updates = _parse_update(members)
    except InvalidInput as error:
        return _malformed(error)
    return UpdateRequest(proof, updates, source, identity)


def parse_hosts(request: Request, source: Address) -> UpdateRequest | Response:
    """Parse a request to HOSTS_PATH; what is malformed is answered at once."""
    try:
        proof = _parse_proof(request)
        members = _members(request)
        _allow_only(members, "as")
        identity = _hostname(members, "as")
    except InvalidInput as error:
        return _malformed(error)
    return UpdateRequest(proof, (), source, identity)


def render(answer: Answer) -> Response:
    """Answer one outcome for each host and type."""
    outcomes = [
        {
            "hostname": host.hostname,
            "record_type": rrset.record_type,
            "outcome": rrset.outcome.value,
            "address": rrset.address,
        }
        for host in answer.hosts
        for rrset in host.rrsets
    ]
    return _reply(answer, {"outcomes": outcomes})


def render_hosts(answer: Answer) -> Response:
    """Answer the group, with what its members need to know so that they ask for nothing that is refused."""
    hosts = [
        {
            "hostname": host.hostname,
            "record_type": host.record_type,
            "mac_address": host.mac_address,
            "interface_identifier": host.interface_identifier,
            "address": host.ip_address,
            "allow_internal": host.allow_internal,
            "locked": host.lock_record,
        }
        for host in answer.group
    ]
    return _reply(answer, {"hosts": hosts})


def make_update(
    secret: str, signed_at: int, hostname: str, addresses: Sequence[str]
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """Return body and headers of a request: the client's half. `signed_at` is in milliseconds since 1970."""
    body = json.dumps({"hostname": hostname, "addresses": list(addresses)}).encode()
    return body, (("content-type", "application/json"), (HEADER, render_signature(secret, signed_at, body)))


def _reply(answer: Answer, members: dict[str, Any]) -> Response:
    status = _STATUS.get(answer.outcome, 403)
    if not answer.outcome.is_success:
        members["error"] = answer.outcome.value
    if answer.outcome in (Outcome.STALE, Outcome.SKEWED):
        members |= {"server_time": answer.server_time, "signed_at": answer.signed_at}
    headers = (("retry-after", str(answer.retry_after or 60)),) if status == 503 else ()
    reply = json_response(status, members)
    return Response(reply.status, reply.body, reply.content_type, headers)


def _malformed(error: InvalidInput) -> Response:
    return json_response(400, {"error": "malformed", "detail": str(error)})


def _parse_proof(request: Request) -> Any:
    header = request.header(HEADER)
    if header is None:
        raise InvalidInput("the Homing-Signature header is missing")
    return parse_signature(header, request.body)


def _members(request: Request) -> Mapping[str, Any]:
    members = request.json()
    if not isinstance(members, dict):
        raise InvalidInput("the body is not a JSON object")
    return members


def _parse_update(members: Mapping[str, Any]) -> tuple[Name, tuple[HostUpdate, ...]]:
    """Return as whose owner the client speaks, and what it asks."""
    if "updates" not in members:
        update = _parse_host(members)
        return parse_hostname(update.text, only_to_look_up=True), (update,)
    _allow_only(members, "as", "updates")
    entries = members["updates"]
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput("updates is not a list of objects")
    if len(entries) > MAX_ROWS:
        raise InvalidInput(f"more than {MAX_ROWS} hosts in one request")
    if sum(not str(entry.get("hostname", "")).isascii() for entry in entries) > MAX_U_NAMES:
        raise InvalidInput(f"more than {MAX_U_NAMES} names outside ASCII in one request")
    updates = tuple(_parse_host(entry) for entry in entries)
    if len({update.hostname for update in updates}) < len(updates):
        raise InvalidInput("a hostname stands in updates twice")
    if sum(len(update.wishes) for update in updates) > MAX_ROWS:
        raise InvalidInput(f"more than {MAX_ROWS} addresses in one request")
    return _hostname(members, "as"), updates


def _parse_host(members: Mapping[str, Any]) -> HostUpdate:
    _allow_only(members, "hostname", "addresses", "prefix")
    hostname = _hostname(members, "hostname")
    addresses = members.get("addresses", [])
    if not isinstance(addresses, list) or not all(isinstance(text, str) for text in addresses):
        raise InvalidInput("addresses is not a list of texts")
    wishes: dict[RecordType, Wish] = {}
    for text in addresses:
        address = parse_address(text)
        if record_type_of(address) in wishes:
            raise InvalidInput("two addresses of one family")
        wishes[record_type_of(address)] = SetAddress(address)
    if "prefix" in members:
        if "AAAA" in wishes or not isinstance(members["prefix"], str):
            raise InvalidInput("prefix is not a text, or stands beside an IPv6 address")
        wishes["AAAA"] = SetPrefix(parse_prefix(members["prefix"]))
    if not wishes:
        raise InvalidInput("neither addresses nor prefix is given")
    return HostUpdate(hostname, hostname, wishes)


def _hostname(members: Mapping[str, Any], key: str) -> Name:
    value = members.get(key)
    if not isinstance(value, str):
        raise InvalidInput(f"{key} is missing or not a text")
    return parse_hostname(value, only_to_look_up=True)


def _allow_only(members: Mapping[str, Any], *names: str) -> None:
    """What is not understood is refused: a member that we ignore might be one that the client relies on."""
    for name in members:
        if name not in names:
            raise InvalidInput(f"unknown member {str(name)[:40]!r}")
