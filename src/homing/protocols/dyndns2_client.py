"""dyndns2, the client's half of `dyndns2.py`: what is asked, and what each return code demands of a client.

Dyn's rule: a failed update is fatal until the user acts, and must not be repeated; `911` waits for half an hour.
A body is read by lines and first words, never searched: "good" stands in many a page.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from homing.core.addresses import parse_address
from homing.core.errors import InvalidAddress
from homing.protocols.asking import (
    MAX_RETRY_AFTER,
    Ask,
    Heard,
    HostReply,
    Kind,
    Reply,
    compare,
    for_each,
    looks_like_page,
    not_a_server,
    read_failure,
    refused,
    render_query,
    retry_after,
    shorten,
    sum_up,
)
from homing.protocols.dyndns2 import MAX_HOSTNAMES, PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.core.addresses import Address
    from homing.protocols.asking import Family

__all__ = ["MAX_HOSTNAMES", "make_update", "read_answer"]

WAIT_911 = 1800
"""Seconds: Dyn and No-IP want no request within 30 minutes after `911`, unless the server says how long."""
_WAIT = re.compile(r"w([0-9]{1,6})([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}

_FATAL = {
    "badauth": "the user name or the password is wrong",
    "badagent": "the server refuses this client",
    "!donator": "the account would have to pay for this",
    "!active": "the account is not active",
    "badsys": "the server does not know this kind of host",
    "notfqdn": "not a fully qualified domain name",
    "nohost": "the name is not one of this user's",
    "!yours": "the name is somebody else's",
    "numhost": "too many names in one request",
    "abuse": "the name is blocked for abuse",
    "nofqdn": "not a fully qualified domain name",
}
_GOOD = {"good": Kind.UPDATED, "nochg": Kind.UNCHANGED}
_ENGLISH = ("good", "nochg", "abuse")
"""Codes that a page may begin with as well ("good morning"): only an address may follow them, or nothing."""


def make_update(
    server_path: str, hostnames: Sequence[str], sent: Mapping[Family, Address], username: str, password: str
) -> Ask:
    """Return what sets these names, at most MAX_HOSTNAMES; without addresses, to where the request comes from.

    `server_path` is the path of the server's URL: one that ends in `/update` is the service itself.
    """
    path = "" if server_path.rstrip("/").endswith("/update") else PATHS[0]
    addresses = ",".join(str(sent[family]) for family in sorted(sent))
    query = render_query((("hostname", ",".join(hostnames)), ("myip", addresses or None)))
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    return Ask("GET", path, query, (("authorization", f"Basic {credentials}"),))


def read_answer(heard: Heard, hostnames: Sequence[str], sent: Mapping[Family, Address]) -> Reply:
    """Return what an answer means: one line for each name in their order, one for all, or several for one."""
    lines = [line.strip() for line in heard.text.splitlines() if line.strip()]
    words = lines[0].split() if lines and not looks_like_page(heard) else [""]
    if words[0] in ("911", "dnserr"):
        default = WAIT_911 if words[0] == "911" else None
        waits = retry_after(heard)
        return Reply(Kind.TRY_LATER, f"the server has a problem ({words[0]})", default if waits is None else waits)
    if found := _WAIT.fullmatch(words[0]):
        wait = min(int(found[1]) * _UNITS[found[2]], MAX_RETRY_AFTER)
        return Reply(Kind.TRY_LATER, "the server asks to wait", wait)
    if heard.status == 401 or words[0] == "badauth":
        return for_each(hostnames, refused(f"badauth: {_FATAL['badauth']}"))
    if heard.status == 429 and words == ["abuse"]:
        return for_each(hostnames, refused(f"abuse: {_FATAL['abuse']}"))
    if (failure := read_failure(heard)) is not None:
        return failure
    if not _is_code(words):
        return not_a_server(f"HTTP {heard.status}, but no return code of dyndns2: {shorten(heard.text, 60)}")
    if not 200 <= heard.status < 300:
        return refused(f"HTTP {heard.status}: {shorten(lines[0])}")
    asked = list(hostnames)
    if len(lines) == 1:
        lines *= len(asked)
    elif len(asked) == 1:  # nsupdate.info has a line for each address
        asked *= len(lines)
    if len(lines) != len(asked):
        return refused(f"the server answers {len(lines)} lines about {len(asked)} names", is_final=False)
    hosts = [_read_line(line, name, sent) for line, name in zip(lines, asked, strict=True)]
    return sum_up(hosts, shorten(lines[0]))


def _is_code(words: Sequence[str]) -> bool:
    """Tell whether a line is one that a server of this protocol writes."""
    if words[0] in _ENGLISH and len(words) > 1:
        return all(_is_address(text) for text in words[1].split(",") if text)
    return words[0] in _GOOD or words[0] in _FATAL


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except InvalidAddress:
        return False
    return True


def _read_line(line: str, hostname: str, sent: Mapping[Family, Address]) -> HostReply:
    """Return what is said of one name: `good 203.0.113.7,2001:db8::7`, or a bare code."""
    code, *said = line.split()
    if not _is_code([code, *said]):
        return HostReply(hostname, Kind.REFUSED, f"unknown answer: {shorten(line, 60)}")
    if code in _GOOD:
        return compare(hostname, _GOOD[code], [text for one in said for text in one.split(",")], sent)
    return HostReply(hostname, Kind.REFUSED, f"{code}: {_FATAL[code]}")
