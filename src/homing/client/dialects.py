"""How each protocol is spoken: what is asked, in which order, and what the answers come to. No sockets, no clock.

A conversation is a generator: it yields what is to be asked, is sent what was heard, and returns the Reply. Whoever
drives it (`client/update.py`, a test) makes the exchanges, and throws ServerUnreachable where no answer comes, or
FamilyAbsent where the family asked for is not there. What was answered before that is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from homing.client.remote import FamilyAbsent, ServerUnreachable
from homing.core.addresses import Address
from homing.core.credentials import SIGNATURE_WINDOW
from homing.core.errors import InvalidName
from homing.core.names import parse_hostname
from homing.core.values import frozen, replace
from homing.protocols import awslabs_client, ddupdate_client, duckdns, dyndns2_client, signed_client
from homing.protocols.asking import Ask, Heard, Kind, Reply, for_each, has_no_record, merge, refused, sum_up
from homing.settings.client_checks import is_this_machine

if TYPE_CHECKING:
    from homing.settings.client import ClientSettings

Family = Literal[4, 6]
Sent: TypeAlias = Mapping[Family, Address | None]
"""The address of each family that is to be set; None leaves it to the server, which takes where the request is from."""
Conversation: TypeAlias = Generator[Ask, Heard, Reply]
Clock: TypeAlias = Callable[[], int]
"""Milliseconds since 1970."""
_NO_ROW = "There was an issue finding or reading the DyanmoDB config item"
"""What awslabs' own server says of a name or family that it does not know, as it spells it."""
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


def name_in_dns(settings: ClientSettings, name: str) -> str:
    """Return what DNS calls a name: DuckDNS takes its own without their zone."""
    label = name.removesuffix(".")
    return f"{label}.{duckdns.ZONE}" if settings.protocol == "duckdns" and "." not in label else name


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
            return signed_client.read_answer(heard, sent, identity)

        replies.append((yield from _attempt(ask_signed(settings, make, read, now))))
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
    theirs = max(reply.server_time, (reply.newest or 0) + 1)
    if not _is_believed(settings.server, ours, theirs):
        away = (theirs - ours) // 1000
        text = f"this clock is {abs(away)} s {'behind' if away > 0 else 'ahead of'} the server's"
        return Reply(Kind.TRY_LATER, text + ", and without TLS nobody knows whether that is true: set the clock")
    return read((yield make(theirs)))


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
    """Set one name after the other."""
    return _in_turn([Part([name], None, partial(converse_about, name)) for name in names])


@frozen
class Part:
    """One request or conversation of several: about which names, and which family if only one."""

    names: Sequence[str]
    family: Family | None
    make: Callable[[], Conversation]


def _in_turn(parts: Sequence[Part]) -> Conversation:
    """Hold one conversation after the other; every name hears of its own.

    What fails for one name is no reason to leave the next, unless nobody is there: that is said of all that are left.
    """
    replies = []
    over: dict[Family | None, Reply] = {}
    for part in parts:
        reply = over.get(part.family) or (yield from _attempt(part.make()))
        if reply.kind in (Kind.NOT_A_SERVER, Kind.TRY_LATER):
            over[part.family] = replace(reply, hosts=())
        hosts = reply.hosts or for_each(part.names, reply).hosts
        about = [replace(host, family=part.family or host.family) for host in hosts]
        replies.append(replace(reply, hosts=tuple(about)))
    return merge(replies)


def _attempt(conversation: Conversation) -> Conversation:
    """That no answer comes is a reply as well: the update may have been made, and may be sent again."""
    try:
        return (yield from conversation)
    except ServerUnreachable as error:
        return Reply(Kind.TRY_LATER, str(error))


def _awslabs(settings: ClientSettings, name: str, sent: Sent) -> Conversation:
    """Ask for the address first, over each family: the hash is made of what is told, and only that can be set."""

    def set_family(family: Family, address: Address | None) -> Conversation:
        reply = yield from _awslabs_family(settings, name, family, address)
        if reply.kind is Kind.REFUSED and not reply.is_final:  # perhaps the address has just changed
            reply = yield from _awslabs_family(settings, name, family, address)
        return reply

    reply = yield from _in_turn([Part([name], family, partial(set_family, family, sent[family])) for family in sent])
    return _without_missing(reply)


def _without_missing(reply: Reply) -> Reply:
    """A name whose row of one family is set, while that of the other cannot be found, has but the one."""
    is_known = any(host.kind.is_success for host in reply.hosts)
    hosts = [
        has_no_record(host.hostname, host.family) if host.family and _NO_ROW in host.text else host
        for host in reply.hosts
    ]
    return replace(sum_up(hosts, reply.text), retry_after=reply.retry_after) if is_known else reply


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
    path = urlsplit(settings.server).path

    def ask(some: Sequence[str], way: Way) -> Conversation:
        hostnames = [name.removesuffix(".") for name in some]
        asked = dyndns2_client.make_update(path, hostnames, way.known, username, settings.secret or "")
        return dyndns2_client.read_answer((yield _over(asked, way.family)), some, way.known)

    size = dyndns2_client.MAX_HOSTNAMES
    lists = [names[start : start + size] for start in range(0, len(names), size)]
    return _in_turn([Part(some, way.about, partial(ask, some, way)) for way in _ways(sent) for some in lists])


@frozen
class Way:
    """One of the requests that an update takes where the server sees one family, and is told the other."""

    known: Mapping[Family, Address]
    family: Family | None = None
    """The family that the connection has to be of."""

    @property
    def about(self) -> Family | None:
        """The only family that it sets."""
        return self.family or (next(iter(self.known)) if len(self.known) == 1 else None)


def _ways(sent: Sent) -> list[Way]:
    known: dict[Family, Address] = {family: address for family, address in sent.items() if address is not None}
    seen = [Way({}, family) for family, address in sent.items() if address is None]
    return ([Way(known)] if known else []) + seen


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
    path = urlsplit(settings.server).path

    def ask(way: Way) -> Conversation:
        heard = yield duckdns.make_update(path, names, settings.secret or "", way.known)
        return duckdns.read_answer(heard, names, way.known)

    return _in_turn([Part(names, way.about, partial(ask, way)) for way in _ways(sent)])


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
