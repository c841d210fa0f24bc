"""The client's half of HTTP as values: what is asked of a server, what is heard, and what that means. No sockets here.

Not used on the server's side: a function on Lambda never imports this file, nor the `*_client.py` beside it.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from homing.core.errors import InvalidAddress
from homing.core.values import field, frozen, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from homing.core.addresses import Address

Family = Literal[4, 6]

MAX_RETRY_AFTER = 86_400
"""Seconds: a server that asks for more patience than a day is asked again after a day."""
_DIGITS = re.compile(r"[0-9]{1,100}")


@frozen
class Ask:
    """One request to a server. Its query, headers and body hold secrets, and are never shown."""

    method: str
    path: str
    """Stands behind the path of the server's own URL; empty where that URL is meant as it stands."""
    query: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    family: Family | None = None
    """The connection has to use this family, where the server takes the address from the connection."""


@frozen
class Heard:
    """What a server answered; the names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of a name, or None."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace").strip()


class Kind(Enum):
    """What became of an update, as far as its client has to know."""

    SKIPPED = "skipped"
    """The name has no such record at the server, which therefore did nothing about it: no failure."""
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    TRY_LATER = "try later"
    """Nothing is known to have been done; the same may be sent again, though not before `retry_after`."""
    NOT_A_SERVER = "not a server"
    """Whatever answered is no update server: a captive portal, a web page, a wrong URL. Nothing was done."""

    @property
    def is_success(self) -> bool:
        """Whether the server said that the name now is as asked."""
        return self is Kind.UPDATED or self is Kind.UNCHANGED


@frozen
class HostReply:
    """What a server said about one name, or about one family of it."""

    hostname: str
    kind: Kind
    text: str = ""
    addresses: tuple[str, ...] = ()
    """What the server says that the name is set to; empty where it does not say."""
    family: Family | None = None
    """The only family that it was asked about; None where it was asked about all that were sent."""

    def is_about(self, family: Family) -> bool:
        """Tell whether it says anything of a family: it names an address of it, or no address at all."""
        families = {6 if ":" in address else 4 for address in self.addresses}
        return self.family in (None, family) and (not families or family in families)


@frozen
class Reply:
    """What a server's answer means."""

    kind: Kind
    text: str
    """For people: the server's own words, shortened, or what is wrong with them. Holds no secret."""
    retry_after: int | None = None
    """Seconds that the server, or the specification of its protocol, demands before it is asked again."""
    is_final: bool = False
    """Sending the same again is pointless, and punished by some services, until a person has acted."""
    hosts: tuple[HostReply, ...] = ()
    server_time: int | None = None
    """Milliseconds since 1970: what the server's clock says, where it found fault with ours."""
    newest: int | None = None
    """Milliseconds since 1970: a signed request has to be newer than this."""


_RANK = (Kind.SKIPPED, Kind.UNCHANGED, Kind.UPDATED, Kind.TRY_LATER, Kind.NOT_A_SERVER, Kind.REFUSED)


def merge(replies: Sequence[Reply]) -> Reply:
    """Return what several requests of one update come to: the worst of them, with the hosts and the waits of all."""
    worst = max(replies, key=lambda reply: _RANK.index(reply.kind))
    waits = [reply.retry_after for reply in replies if reply.retry_after is not None]
    hosts = tuple(host for reply in replies for host in reply.hosts)
    return replace(worst, retry_after=max(waits, default=None), hosts=hosts)


def for_each(hostnames: Iterable[str], reply: Reply) -> Reply:
    """Return the reply with its verdict said of every one of these names."""
    return replace(reply, hosts=tuple(HostReply(name, reply.kind, reply.text) for name in hostnames))


def refused(text: str, *, is_final: bool = True) -> Reply:
    """Return that the server said no."""
    return Reply(Kind.REFUSED, text, is_final=is_final)


def not_a_server(text: str) -> Reply:
    """Return that this was no answer of an update server."""
    return Reply(Kind.NOT_A_SERVER, text)


def read_failure(heard: Heard) -> Reply | None:
    """Return what an answer means that no protocol says: a redirect, a web page, a gateway in trouble, nothing at all.

    None: the protocol's own reading decides. RFC 9110 sections 10.2.3 and 15; RFC 6585 sections 4 and 6.
    """
    status = heard.status
    if status == 511 or 300 <= status < 400:
        where = f" to {_shown_location(heard)}" if status != 511 else ""
        return not_a_server(f"HTTP {status}{where}: not followed; a captive portal, or another URL is meant")
    if status in (408, 425, 429) or status >= 500:
        return Reply(Kind.TRY_LATER, f"HTTP {status}", retry_after(heard))
    if status in (404, 405, 410):
        return not_a_server(f"HTTP {status}: there is no update server at this URL")
    if looks_like_page(heard):
        return not_a_server(f"HTTP {status} with a web page: a captive portal, or another URL is meant")
    if is_key_refused(heard):
        return refused("the API key is missing or wrong")
    if 200 <= status < 300 and not heard.body.strip():
        return not_a_server(f"HTTP {status} with an empty body")
    return None


def looks_like_page(heard: Heard) -> bool:
    """Tell whether the answer is HTML or XML, whatever it calls itself."""
    return heard.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def is_key_refused(heard: Heard) -> bool:
    """Tell whether it is API Gateway's own refusal of a key, or Homing's: 403 `{"message":"Forbidden"}`."""
    return heard.status == 403 and members_of(heard).get("message") == "Forbidden"


def retry_after(heard: Heard) -> int | None:
    """Return the seconds of a Retry-After header, given as such or as a date (RFC 9110 section 10.2.3)."""
    value = (heard.header("retry-after") or "").strip()
    if _DIGITS.fullmatch(value):
        return min(int(value), MAX_RETRY_AFTER)
    from email.utils import parsedate_to_datetime  # a megabyte that an agent need not hold for years

    try:
        then, now = parsedate_to_datetime(value), parsedate_to_datetime(heard.header("date") or "")
        return max(0, min(int((then - now).total_seconds()), MAX_RETRY_AFTER))
    except (ValueError, TypeError, OverflowError):  # no date, no zone in one of them, or a year past all counting
        return None


def members_of(heard: Heard) -> Mapping[str, Any]:
    """Return the members of a JSON object; none for whatever else the body is."""
    try:
        value = json.loads(heard.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def shorten(text: str, limit: int = 120) -> str:
    """Return text of a stranger in one line that may be shown: no control characters, no more than `limit`."""
    shown = "".join(one if one.isprintable() else " " for one in text[: 4 * limit])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def render_query(fields: Iterable[tuple[str, str | None]]) -> str:
    """Return a query; what is None is left out. Commas and colons stay, as every known client sends them."""
    return "&".join(f"{name}={quote(value, safe=',:')}" for name, value in fields if value is not None)


def compare(hostname: str, kind: Kind, said: Sequence[str], sent: Mapping[Family, Address]) -> HostReply:
    """Return what was said of one name; a success that sets it to another address than was sent is none.

    Dyn answers `good 127.0.0.1` to a client that it has stopped listening to. Where no address at all is mentioned
    every family counts as done (deSEC); beside one that is, nobody knows of the other: see HostReply.is_about.
    """
    from homing.core.addresses import parse_address

    told = []
    for text in said:
        try:
            told.append(parse_address(text))
        except InvalidAddress:
            continue
    for address in told if sent else ():
        wanted = sent.get(address.version)
        if wanted != address:
            what = f"{address} instead of {wanted}" if wanted else f"{address}, which was not sent"
            return HostReply(hostname, Kind.REFUSED, f"the server answers with {what}", tuple(map(str, told)))
    return HostReply(hostname, kind, "", tuple(map(str, told)))


def has_no_record(hostname: str, family: Family) -> HostReply:
    """Return that the server knows the name, but has no record of this family for it."""
    text = f"the host has no {'A' if family == 4 else 'AAAA'} record"
    return HostReply(hostname, Kind.SKIPPED, text, family=family)


def sum_up(hosts: Sequence[HostReply], text: str) -> Reply:
    """Return the reply that answers about each of these hosts come to."""
    worst = find_worst(hosts)
    return Reply(worst.kind, worst.text or text, is_final=worst.kind is Kind.REFUSED, hosts=tuple(hosts))


def find_worst(hosts: Sequence[HostReply]) -> HostReply:
    """Return the answer that counts where there are several; there is one at least."""
    return max(hosts, key=lambda host: _RANK.index(host.kind))


def _shown_location(heard: Heard) -> str:
    """A redirect's target may repeat our own query, secrets included: everything behind `?` stays out."""
    return shorten((heard.header("location") or "nowhere").partition("?")[0].partition("#")[0], 80)
