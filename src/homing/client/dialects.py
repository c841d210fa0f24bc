"""How each protocol is spoken: what is asked, in which order, and what the answers come to. No sockets, no clock.

A conversation is a generator: it yields what is to be asked, is sent what was heard, and returns the Reply. Whoever
drives it (`client/update.py`, a test) makes the exchanges, and throws FamilyAbsent where the family asked for is not
there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from homing.client.remote import FamilyAbsent
from homing.core.addresses import Address
from homing.core.credentials import SIGNATURE_WINDOW
from homing.core.errors import InvalidName
from homing.core.names import parse_hostname
from homing.core.values import replace
from homing.protocols import awslabs_client, ddupdate_client, duckdns, dyndns2_client, signed_client
from homing.protocols.asking import Ask, Heard, Kind, Reply, merge, refused
from homing.settings.client_checks import is_this_machine

if TYPE_CHECKING:
    from homing.settings.client import ClientSettings

Family = Literal[4, 6]
Sent: TypeAlias = Mapping[Family, Address | None]
"""The address of each family that is to be set; None leaves it to the server, which takes where the request is from."""
Conversation: TypeAlias = Generator[Ask, Heard, Reply]
Clock: TypeAlias = Callable[[], int]
"""Milliseconds since 1970."""

MAX_ROWS = 90
"""Addresses in one signed request; with the longest names they stay far below the 64 KiB that a body may have."""


def converse(settings: ClientSettings, names: Sequence[str], sent: Sent, now: Clock) -> Conversation:
    """Set these names to these addresses, in as few requests as the protocol can."""
    match settings.protocol:
        case "signed":
            updates = [{"hostname": canonical(name), "addresses": _texts(sent)} for name in names]
            return set_group(settings, canonical(names[0]), updates, now)
        case "awslabs" | "awslabs-post":
            return _each(names, lambda name: _awslabs(settings, name, sent))
        case "ddupdate":
            return _each(names, lambda name: _ddupdate(settings, name, sent))
        case "duckdns":
            return _duckdns(settings, names, sent)
    if settings.username is None:
        return _each(names, lambda name: _dyndns2(settings, [name], sent, name.removesuffix(".")))
    return _dyndns2(settings, names, sent, settings.username)


def canonical(name: str) -> str:
    """Return a name as the signed request has it; one that cannot be is left for the server to refuse."""
    try:
        return parse_hostname(name)
    except InvalidName:
        return name


# --- signed


def set_group(
    settings: ClientSettings, identity: str, updates: Sequence[Mapping[str, Any]], now: Clock
) -> Conversation:
    """Set names that share a secret: each `{"hostname", "addresses": [...]}` or `{"hostname", "prefix"}`.

    All or none in one request, as long as they fit into one.
    """
    replies = []
    secret = settings.secret or ""
    for some in _split(updates):
        sent = {str(one["hostname"]): _by_family(one.get("addresses", ())) for one in some}

        def make(signed_at: int, some: Sequence[Mapping[str, Any]] = some) -> Ask:
            if len(some) == 1 and some[0]["hostname"] == identity and "addresses" in some[0]:
                addresses = list(_by_family(some[0]["addresses"]).values())
                return signed_client.make_update(secret, signed_at, identity, addresses)
            return signed_client.make_group_update(secret, signed_at, identity, some)

        def read(heard: Heard, sent: Mapping[str, Mapping[Family, Address]] = sent) -> Reply:
            return signed_client.read_answer(heard, sent)

        replies.append((yield from ask_signed(settings, make, read, now)))
        if not replies[-1].kind.is_success:
            break
    return merge(replies)


def ask_signed(
    settings: ClientSettings, make: Callable[[int], Ask], read: Callable[[Heard], Reply], now: Clock
) -> Conversation:
    """Ask; where the server finds fault with our clock and tells its own, ask again at once with that, but once."""
    ours = now()
    reply = read((yield make(ours)))
    if reply.server_time is None:
        return reply
    if not _is_believed(settings.server, ours, reply.server_time):
        away = (reply.server_time - ours) // 1000
        text = f"this clock is {abs(away)} s {'behind' if away > 0 else 'ahead of'} the server's"
        return Reply(Kind.TRY_LATER, text + ", and without TLS nobody knows whether that is true: set the clock")
    return read((yield make(max(reply.server_time, (reply.newest or 0) + 1))))


def _is_believed(server: str, ours: int, theirs: int) -> bool:
    """Whoever could make us sign for a time of their choice could send that request when the time has come."""
    is_near = abs(theirs - ours) <= SIGNATURE_WINDOW * 1000
    return is_near or server.startswith("https://") or is_this_machine(server)


def _split(updates: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the updates in parts that fit into one request each."""
    parts: list[list[Mapping[str, Any]]] = [[]]
    rows = 0
    for one in updates:
        more = max(1, len(one.get("addresses", ())) + ("prefix" in one))
        if parts[-1] and rows + more > MAX_ROWS:
            parts.append([])
            rows = 0
        parts[-1].append(one)
        rows += more
    return parts


# --- the others


def _each(names: Sequence[str], converse_about: Callable[[str], Conversation]) -> Conversation:
    """Set one name after the other. What fails for one is no reason to leave the next, unless nobody is there."""
    replies = []
    for name in names:
        replies.append((yield from converse_about(name)))
        if replies[-1].kind in (Kind.NOT_A_SERVER, Kind.TRY_LATER):
            break
    return merge(replies)


def _awslabs(settings: ClientSettings, name: str, sent: Sent) -> Conversation:
    """Ask for the address first, over each family: the hash is made of what is told, and only that can be set."""
    replies = []
    for family, address in sent.items():
        reply = yield from _awslabs_family(settings, name, family, address)
        if reply.kind is Kind.REFUSED and not reply.is_final:  # perhaps the address has just changed
            reply = yield from _awslabs_family(settings, name, family, address)
        replies.append(reply)
    return merge(replies)


def _awslabs_family(settings: ClientSettings, name: str, family: Family, address: Address | None) -> Conversation:
    is_post = settings.protocol == "awslabs-post"
    source = settings.source(family).kind
    try:
        heard = yield awslabs_client.make_get(family, is_post=is_post)
    except FamilyAbsent:
        if source == "reflector":
            raise
        # An address that is told explicitly may come by any way; one that the server sees has to come by its own.
        heard = yield awslabs_client.make_get(None, is_post=is_post)
    told = awslabs_client.read_get(heard)
    if isinstance(told, Reply):
        return told
    if source == "reflector" and told.version != family:
        return Reply(Kind.NOT_A_SERVER, f"the server sees {told}, which is no IPv{family} address")
    internal = address if address != told else None
    if internal is not None and source == "reflector":
        text = f"the server sees {told} now, and saw {address} a moment ago"
        return Reply(Kind.TRY_LATER, text)
    if internal is not None and is_post:
        return refused(f"the server sees {told}, and awslabs-post can set nothing else")
    hostname = name.removesuffix(".") + ("" if is_post else ".")
    ask = awslabs_client.make_set(settings.secret or "", hostname, told, internal, is_post=is_post)
    return awslabs_client.read_answer((yield ask), name)


def _dyndns2(settings: ClientSettings, names: Sequence[str], sent: Sent, username: str) -> Conversation:
    """What the server is to see needs a request of its own, made over that family."""
    replies = []
    path = urlsplit(settings.server).path
    for family, known in _ways(sent):
        for start in range(0, len(names), dyndns2_client.MAX_HOSTNAMES):
            some = names[start : start + dyndns2_client.MAX_HOSTNAMES]
            hostnames = [name.removesuffix(".") for name in some]
            ask = dyndns2_client.make_update(path, hostnames, known, username, settings.secret or "")
            heard = yield _over(ask, family)
            replies.append(dyndns2_client.read_answer(heard, some, known))
    return merge(replies)


def _ways(sent: Sent) -> list[tuple[Family | None, Mapping[Family, Address]]]:
    known: dict[Family, Address] = {family: address for family, address in sent.items() if address is not None}
    seen: list[tuple[Family | None, Mapping[Family, Address]]] = [
        (family, {}) for family, address in sent.items() if address is None
    ]
    return ([(None, known)] if known else []) + seen


def _ddupdate(settings: ClientSettings, name: str, sent: Sent) -> Conversation:
    known: dict[Family, Address] = {family: address for family, address in sent.items() if address is not None}
    if 4 not in sent and known:
        # Without ipv4 the server would set the A record to where this comes from: over IPv6 it has none to set.
        ask = ddupdate_client.make_update(name, settings.zone_id or "", settings.secret or "", known, settings.ttl)
        return ddupdate_client.read_answer((yield _over(ask, 6)), name)
    ask = ddupdate_client.make_update(name, settings.zone_id or "", settings.secret or "", known, settings.ttl)
    return ddupdate_client.read_answer((yield ask), name)


def _duckdns(settings: ClientSettings, names: Sequence[str], sent: Sent) -> Conversation:
    """DuckDNS looks at the connection only where no address of either family is given."""
    replies = []
    path = urlsplit(settings.server).path
    for _, known in _ways(sent):
        ask = duckdns.make_update(path, names, settings.secret or "", known)
        replies.append(duckdns.read_answer((yield ask), names, known))
    return merge(replies)


def _over(ask: Ask, family: Family | None) -> Ask:
    return ask if family is None else replace(ask, family=family)


def _texts(sent: Sent) -> list[str]:
    return [str(sent[family]) for family in sorted(sent) if sent[family] is not None]


def _by_family(texts: Sequence[object]) -> dict[Family, Address]:
    from homing.core.addresses import parse_address

    found: dict[Family, Address] = {}
    for text in texts:
        address = parse_address(str(text))
        found[4 if isinstance(address, IPv4Address) else 6] = address
    return found
