"""DuckDNS, the client's half only: `GET /update?domains=a,b&token=T[&ip=][&ipv6=]&verbose=true`.

The answer is `OK` or `KO` with status 200, whatever was wrong; verbose, the addresses and UPDATED or NOCHANGE follow,
a line each. https://www.duckdns.org/spec.jsp
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.protocols.asking import (
    Ask,
    Heard,
    Kind,
    Reply,
    compare,
    for_each,
    not_a_server,
    read_failure,
    refused,
    render_query,
    shorten,
    sum_up,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homing.core.addresses import Address
    from homing.protocols.asking import Family

PATH = "/update"
ZONE = "duckdns.org"
_KINDS = {"UPDATED": Kind.UPDATED, "NOCHANGE": Kind.UNCHANGED}


def make_update(server_path: str, names: Sequence[str], token: str, sent: Mapping[Family, Address]) -> Ask:
    """Return what sets these names; without any address, to the IPv4 address that the request comes from.

    `server_path` is the path of the server's URL: one that ends in `/update` is the service itself.
    """
    fields = (
        ("domains", ",".join(name.removesuffix(".") for name in names)),
        ("token", token),
        ("ip", str(sent[4]) if 4 in sent else None),
        ("ipv6", str(sent[6]) if 6 in sent else None),
        ("verbose", "true"),
    )
    path = "" if server_path.rstrip("/").endswith(PATH) else PATH
    return Ask("GET", path, render_query(fields), family=None if sent else 4)


def read_answer(heard: Heard, names: Sequence[str], sent: Mapping[Family, Address]) -> Reply:
    """Return what an answer means. A server that knows no `verbose` says no more than `OK`."""
    if (failure := read_failure(heard)) is not None:
        return failure
    lines = [line.strip() for line in heard.text.splitlines()] or [""]
    if lines[0] == "KO":
        return for_each(names, refused("KO: the token or the name is wrong"))
    if heard.status != 200 or lines[0] != "OK" or (len(lines) > 1 and lines[-1] not in _KINDS):
        return not_a_server(f"HTTP {heard.status}, but not the answer of DuckDNS: {shorten(heard.text, 60)}")
    kind = _KINDS[lines[-1]] if len(lines) > 1 else Kind.UPDATED
    told = [line for line in lines[1:-1] if line]
    said = [line for line in told if not sent or _is_asked(line, sent)]
    if told and not said:
        return for_each(names, refused("the server answers without the address that was sent"))
    return sum_up([compare(name, kind, said, sent) for name in names], lines[-1])


def _is_asked(line: str, sent: Mapping[Family, Address]) -> bool:
    """The other family's line tells what is left as it was; only a family that was sent is compared."""
    return (6 if ":" in line else 4) in sent
