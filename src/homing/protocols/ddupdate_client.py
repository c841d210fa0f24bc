"""ddupdate, the client's half of `ddupdate.py`: one token for one name, in the query of a GET.

Its own client takes any 200 for a success. A captive portal answers 200 as well, and the reference answers it after
Route 53 has failed; so the body is read. Where the server has understood, it begins with "Hello!" and a Python
dictionary of what it would do; ours goes on with the name and what became of it. "Hello! Please sign in" is neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homing.protocols.asking import (
    Ask,
    Heard,
    Kind,
    Reply,
    for_each,
    is_key_refused,
    not_a_server,
    read_failure,
    refused,
    render_query,
    shorten,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homing.core.addresses import Address
    from homing.protocols.asking import Family

_HELLO = re.compile(r"Hello!(?:\s*\{| \S+ (?:updated|unchanged)(?:\s|$)).*", re.DOTALL)
_REFUSALS = (
    "Invalid token", "This name cannot be updated", "This name is locked", "This address is not allowed",
    "Malformed request", "Missing essential parameters", "Not an address", "Not a TTL",
)  # fmt: skip
"""The last line at 400 and 403: the reference's only one, and ours. Another is a portal's or a gateway's."""


def make_update(fqdn: str, zone_id: str, token: str, sent: Mapping[Family, Address], ttl: int | None) -> Ask:
    """Return what sets a name, to where the request comes from if no IPv4 address is given. `ttl` is in seconds.

    The order is that of the original, and the name is as it is written: the token was made of that text.
    """
    fields = (
        ("fqdn", fqdn),
        ("token", token),
        ("ipv4", str(sent[4]) if 4 in sent else None),
        ("ipv6", str(sent[6]) if 6 in sent else None),
        ("ttl", None if ttl is None else str(ttl)),
        ("zoneid", zone_id),
    )
    # Without `ipv4` the reference puts the source address into an A record, whatever family it is of.
    return Ask("GET", "", render_query(fields), family=None if 4 in sent else 4)


def read_answer(heard: Heard, fqdn: str) -> Reply:
    """Return what an answer means."""
    text = heard.text
    last = text.splitlines()[-1] if text else ""
    if is_key_refused(heard):
        return refused("the API key is missing or wrong")
    if heard.status in (400, 403) and last in _REFUSALS:
        return refused(last)
    if heard.status in (500, 501) and text.startswith("Missing"):
        return refused(shorten(text))
    if (failure := read_failure(heard)) is not None:
        return failure
    if heard.status != 200 or not _HELLO.fullmatch(text):
        return not_a_server(f"HTTP {heard.status}, but not the answer of a ddupdate server: {shorten(text, 60)}")
    if "\nEncountered error:" in text:
        return Reply(Kind.TRY_LATER, "the server could not set DNS")
    kind = Kind.UNCHANGED if text.split()[2:3] == ["unchanged"] else Kind.UPDATED
    return for_each([fqdn], Reply(kind, "the server has set it" if kind is Kind.UPDATED else "it is so already"))
