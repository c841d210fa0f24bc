"""The awslabs hash API, the client's half of `awslabs.py`: three generations, and what their servers really answer.

Two requests: `get` tells the address that the server sees, `set` proves the secret with a hash over that address. Both
have to leave by the same way. What v1 and v2 mean stands in `return_status`, whatever the HTTP status; v3 has real
ones. Texts are looked at only where there is nothing else to tell "unchanged" and "later" by.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from homing.core.addresses import parse_address
from homing.core.credentials import legacy_hash
from homing.core.errors import InvalidAddress
from homing.protocols.asking import (
    Ask,
    Heard,
    Kind,
    Reply,
    for_each,
    is_key_refused,
    members_of,
    not_a_server,
    read_failure,
    refused,
    render_query,
    retry_after,
    shorten,
)

if TYPE_CHECKING:
    from homing.core.addresses import Address
    from homing.protocols.asking import Family

MISMATCH = "validation hashes do not match"
_UNCHANGED = "matches the current"
_LATER = ("try again", "throttl", "unknown error")
_JSON = (("content-type", "application/json"),)


def make_get(family: Family | None, *, is_post: bool) -> Ask:
    """Return what asks for the address that the server sees."""
    if is_post:
        return Ask("POST", "", headers=_JSON, body=b'{"execution_mode":"get"}', family=family)
    return Ask("GET", "", "mode=get", family=family)


def read_get(heard: Heard) -> Address | Reply:
    """Return the address that the server sees, or what is wrong with its answer."""
    if is_key_refused(heard):
        return refused("the API key is missing or wrong")
    members = members_of(heard)
    text = members.get("return_message")
    if heard.status != 200 or members.get("return_status") != "success" or not isinstance(text, str):
        return read_failure(heard) or not_a_server(f"HTTP {heard.status}, but not the answer of an awslabs server")
    try:
        return parse_address(text)
    except InvalidAddress:
        return not_a_server(f"the server tells an address that is none: {shorten(text, 60)}")


def make_set(secret: str, hostname: str, told: Address, internal: Address | None, *, is_post: bool) -> Ask:
    """Return what sets a name to the address that was told, or (v1, v2) to an internal one.

    v1 and v2 know names with a dot at the end, v3 without.
    """
    version: Family = 4 if told.version == 4 else 6
    if is_post:
        digest = legacy_hash(str(told), hostname, secret)
        members = {"execution_mode": "set", "ddns_hostname": hostname, "validation_hash": digest}
        return Ask("POST", "", headers=_JSON, body=json.dumps(members).encode(), family=version)
    digest = legacy_hash(str(told), hostname, secret)
    fields = (
        ("mode", "set"),
        ("hostname", hostname),
        ("hash", digest),
        ("internalIp", str(internal) if internal else None),
    )
    return Ask("GET", "", render_query(fields), family=version)


def make_list(secret: str, hostname: str, told: Address) -> Ask:
    """Return what asks for the group of a host (v2)."""
    digest = legacy_hash(str(told), hostname, secret)
    query = render_query((("mode", "list_hosts"), ("hostname", hostname), ("hash", digest)))
    return Ask("GET", "", query, family=4 if told.version == 4 else 6)


def read_answer(heard: Heard, hostname: str) -> Reply:
    """Return what an answer to `set` means."""
    if is_key_refused(heard):
        return refused("the API key is missing or wrong")
    members = members_of(heard)
    status, message = members.get("return_status"), members.get("return_message")
    if status not in ("success", "fail") or not isinstance(message, str):
        # An uncaught error of v1 and v2 (an unknown host is one) is Lambda's own JSON, at HTTP 200.
        if isinstance(members.get("errorMessage"), str):
            return refused("the server's function failed: does it know this name?", is_final=False)
        return read_failure(heard) or not_a_server(f"HTTP {heard.status}, but not the answer of an awslabs server")
    text = shorten(message)
    if status == "success" and 200 <= heard.status < 300:
        kind = Kind.UNCHANGED if _UNCHANGED in message else Kind.UPDATED
        return for_each([hostname], Reply(kind, text))
    if heard.status >= 500 or heard.status == 429 or any(word in message.lower() for word in _LATER):
        return Reply(Kind.TRY_LATER, text, retry_after(heard))
    return refused(text, is_final=MISMATCH not in message.lower())
