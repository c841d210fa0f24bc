"""The signed request, the client's half of `signed.py`: what is asked, and what an answer means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homing.core.credentials import render_signature
from homing.core.outcomes import Outcome
from homing.protocols import signed
from homing.protocols.asking import (
    Ask,
    Heard,
    HostReply,
    Kind,
    Reply,
    compare,
    has_no_record,
    members_of,
    not_a_server,
    read_failure,
    refused,
    retry_after,
    shorten,
    sum_up,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.core.addresses import Address
    from homing.protocols.asking import Family

_KINDS = {Outcome.UPDATED.value: Kind.UPDATED, Outcome.UNCHANGED.value: Kind.UNCHANGED}
_TRY_LATER = (Outcome.UNAVAILABLE.value, Outcome.PUBLISH_REJECTED.value)
_ERRORS = frozenset(outcome.value for outcome in Outcome)
_HINTS = {
    Outcome.NOT_AUTHENTICATED.value: "the secret is not that of {}, or there is no such host",
    Outcome.LOCKED.value: "on the server, `homing host unlock {}` lets it change again (see homing host --help)",
    Outcome.NO_READ_PRIVILEGE.value: "on the server, `homing host set {} --read-privilege` lets it (see homing host"
    " set --help)",
}
"""What to do about a refusal of that name."""
_CLOCK = (Outcome.SKEWED.value, Outcome.STALE.value)


def make_update(secret: str, signed_at: int, hostname: str, addresses: Sequence[Address]) -> Ask:
    """Return what sets one name. `signed_at` is in milliseconds since 1970."""
    body, headers = signed.make_update(secret, signed_at, hostname, [str(address) for address in addresses])
    return Ask("POST", signed.UPDATE_PATH, headers=headers, body=body)


def make_group_update(secret: str, signed_at: int, identity: str, updates: Sequence[Mapping[str, Any]]) -> Ask:
    """Return what sets several names with one secret, all or none.

    Each update is `{"hostname": ..., "addresses": [...]}` or `{"hostname": ..., "prefix": "2001:db8:1::/64"}`.
    """
    return _make(secret, signed_at, signed.UPDATE_PATH, {"as": identity, "updates": [dict(one) for one in updates]})


def make_hosts(secret: str, signed_at: int, identity: str) -> Ask:
    """Return what asks for the group of a host."""
    return _make(secret, signed_at, signed.HOSTS_PATH, {"as": identity})


def read_answer(heard: Heard, sent: Mapping[str, Mapping[Family, Address]], identity: str = "NAME") -> Reply:
    """Return what an answer to an update means; `sent` are the addresses of each name, for comparison.

    `identity` is the host as whose owner it was asked.

    A family that a host does not have has no outcome beside that of the other one, which the host has.
    """
    members = members_of(heard)
    failure = read_error(heard, identity)
    if failure is not None:
        return failure
    outcomes = members.get("outcomes")
    if heard.status != 200 or not isinstance(outcomes, list) or not outcomes:
        return not_a_server(f"HTTP {heard.status}, but not the answer of a Homing server: {shorten(heard.text, 60)}")
    hosts = []
    for entry in outcomes:
        host = _read_outcome(entry, sent)
        if host is None:
            return not_a_server("an answer that is not a Homing server's: an outcome that cannot be read")
        hosts.append(host)
    answered = {(host.hostname, bool(host.addresses) and ":" in host.addresses[0]) for host in hosts}
    for hostname, addresses in sent.items():
        for family in addresses:
            if (hostname, family == 6) in answered:
                continue
            if len(addresses) < 2 or (hostname, family == 4) not in answered:
                return not_a_server(f"the server says nothing of {hostname} and its IPv{family} address")
            hosts.append(has_no_record(hostname, family))
    return sum_up(hosts, "the server answered")


def read_error(heard: Heard, identity: str) -> Reply | None:
    """Return what is wrong, or None where it is a success that the caller can read: an update's, or a group's."""
    members = members_of(heard)
    error = members.get("error")
    if not isinstance(error, str):
        return read_failure(heard)
    text = shorten(f"{error}: {members['detail']}" if isinstance(members.get("detail"), str) else error)
    if error in _CLOCK:
        server_time, newest = _time(members, "server_time"), _time(members, "signed_at")
        return Reply(Kind.TRY_LATER, text, server_time=server_time, newest=newest)
    if error in _TRY_LATER or heard.status >= 500 or heard.status == 429:
        return Reply(Kind.TRY_LATER, text, retry_after(heard))
    if error not in _ERRORS:  # a portal may speak JSON as well, and its "no" is not the server's
        return read_failure(heard) or not_a_server(f"HTTP {heard.status}, but not a Homing server's answer: {text}")
    return refused(explain(text, _culprit(members, error) or identity))


def explain(refusal: str, hostname: str) -> str:
    """Return the server's word for a refusal with what to do about it, as far as that is known."""
    hint = _HINTS.get(refusal)
    return f"{refusal}: {hint.format(shorten(hostname).removesuffix('.'))}" if hint else refusal


def _culprit(members: Mapping[str, Any], error: str) -> str | None:
    """Return the first host of which the server says that it is the reason."""
    outcomes = members.get("outcomes")
    found = [one for one in (outcomes if isinstance(outcomes, list) else ()) if isinstance(one, dict)]
    return next((str(one.get("hostname")) for one in found if one.get("outcome") == error), None)


def _read_outcome(entry: Any, sent: Mapping[str, Mapping[Family, Address]]) -> HostReply | None:
    """Return what one outcome says, or None if it says nothing that we know."""
    if not isinstance(entry, dict):
        return None
    hostname, outcome, address = entry.get("hostname"), entry.get("outcome"), entry.get("address")
    if not isinstance(hostname, str) or not isinstance(address, str) or not isinstance(outcome, str):
        return None
    kind = _KINDS.get(outcome)
    host = compare(hostname, kind, [address], sent.get(hostname, {})) if kind else None
    return host if host is not None and host.addresses else None


def _make(secret: str, signed_at: int, path: str, members: Mapping[str, Any]) -> Ask:
    body = json.dumps(members).encode()
    headers = (("content-type", "application/json"), (signed.HEADER, render_signature(secret, signed_at, body)))
    return Ask("POST", path, headers=headers, body=body)


def _time(members: Mapping[str, Any], name: str) -> int | None:
    value = members.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**14 else None
