"""The group at its server: who is in it, and setting several of its names with the secret that they share.

Homing's own server is asked with signed requests, and sets all in one that is all or nothing; awslabs' with the hash
API, one name after the other (https://github.com/awslabs/route53-dynamic-dns-with-lambda, network-discovery.sh).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homing.client.dialects import ask_signed, canonical, set_group
from homing.client.lan.values import Member
from homing.client.remote import ServerUnreachable
from homing.client.update import Row, hold, now_in_milliseconds
from homing.core.addresses import parse_address, parse_interface_identifier, parse_mac, record_type_of
from homing.core.errors import HomingError, InvalidAddress, InvalidName
from homing.core.names import parse_hostname
from homing.core.values import replace
from homing.protocols import awslabs_client, signed_client
from homing.protocols.asking import Heard, Kind, Reply, members_of, not_a_server, read_failure, refused, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from homing.client.dialects import Conversation, Family
    from homing.client.lan.values import Move
    from homing.client.remote import Line
    from homing.core.addresses import Address
    from homing.core.hosts import RecordType
    from homing.settings.client import ClientSettings

PROTOCOLS = ("signed", "awslabs")
MAX_MEMBERS = 2000
MAX_LIST = 1024 * 1024
"""Bytes of a list of so many; an answer to an update is far shorter."""
_DONE = ("updated", "unchanged")
_ATTEMPTS = 3
"""One that is refused is left out, and the others are asked for again; so often at most."""


class GroupUnknown(HomingError):
    """The server did not tell the group."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def list_members(settings: ClientSettings, line: Line) -> tuple[Member, ...]:
    """Return the group of the account's first name. Raises GroupUnknown."""
    found: list[Member] = []
    line = replace(line, most=MAX_LIST)
    if settings.protocol == "signed":
        reply = hold(_list_signed(settings, found), settings, line)
    else:
        reply = _hold_by_family(lambda family: _list_awslabs(settings, family, found), settings, line)
    if not reply.kind.is_success:
        raise GroupUnknown(reply)
    return tuple(found)


def set_members(settings: ClientSettings, moves: Sequence[Move], line: Line) -> tuple[tuple[Row, ...], int | None]:
    """Set names; return what became of each, and the seconds that the server wants to be left alone.

    Each request is all or nothing, and holds as many as it may; the parts that were set are not sent again.
    """
    if settings.protocol != "signed":
        return _set_awslabs(settings, moves, line)
    rows: list[Row] = []
    left = list(moves)
    for _ in range(_ATTEMPTS):
        heard: list[Heard] = []
        conversation = set_group(settings, canonical(settings.names[0]), _updates(left), now_in_milliseconds)
        reply = hold(_listen(conversation, heard), settings, line)
        done = [move for move in left if not reply.kind.is_success and _is_done(move, reply)]
        rows += [_row_of(move, reply) for move in done]
        left = [move for move in left if move not in done]
        culprits = _culprits(heard[-1]) if heard and reply.kind is Kind.REFUSED else {}
        refused_now = [move for move in left if _key(move) in culprits]
        if not refused_now:
            break
        rows += [_row(move, "refused", culprits[_key(move)]) for move in refused_now]
        left = [move for move in left if move not in refused_now]
        if not left:
            return tuple(rows), None
    return (*rows, *(_row_of(move, reply) for move in left)), reply.retry_after


def parse_group(entries: object) -> tuple[Member, ...] | None:
    """Return the members that a list tells; None if it is none. What of an entry cannot be read is not known."""
    if not isinstance(entries, list) or len(entries) > MAX_MEMBERS:
        return None
    found: dict[tuple[str, str], Member] = {}
    for entry in entries:
        member = _parse_member(entry) if isinstance(entry, dict) else None
        if member is not None:
            found[member.hostname, member.record_type] = member
    return tuple(found.values())


def _parse_member(entry: Mapping[str, Any]) -> Member | None:
    record_type: RecordType | None = {"A": "A", "AAAA": "AAAA"}.get(str(entry.get("record_type")))  # type: ignore[assignment]  # one of the two
    listed = str(entry.get("hostname"))
    try:
        hostname = parse_hostname(listed, only_to_look_up=True)
    except InvalidName:
        return None
    if record_type is None:
        return None
    allowed = entry.get("allow_internal")
    address = _read(parse_address, entry.get("address"))
    return Member(
        hostname=hostname,
        record_type=record_type,
        mac=_read(parse_mac, entry.get("mac_address")),
        identifier=_read(parse_interface_identifier, entry.get("interface_identifier")),
        address=address if address is not None and record_type_of(address) == record_type else None,
        allow_internal=allowed if isinstance(allowed, bool) else None,
        is_locked=entry.get("locked") is True,
        listed=listed if listed != hostname else None,
    )


def _read(parse: Callable[[str], Any], value: object) -> Any:
    try:
        return parse(value) if isinstance(value, str) else None
    except InvalidAddress:
        return None


# --- signed


def _list_signed(settings: ClientSettings, found: list[Member]) -> Conversation:
    identity, secret = canonical(settings.names[0]), settings.secret or ""

    def read(heard: Heard) -> Reply:
        failure = signed_client.read_error(heard, identity)
        return failure or _take(heard, members_of(heard).get("hosts"), found)

    return ask_signed(
        settings, lambda signed_at: signed_client.make_hosts(secret, signed_at, identity), read, now_in_milliseconds
    )


def _updates(moves: Iterable[Move]) -> list[dict[str, Any]]:
    """Return one update for each name, with an address of each family that moves."""
    found: dict[str, list[str]] = {}
    for move in moves:
        found.setdefault(move.member.hostname, []).append(str(move.address))
    return [{"hostname": hostname, "addresses": addresses} for hostname, addresses in found.items()]


def _culprits(heard: Heard) -> dict[tuple[str, str], str]:
    """Return which hosts are the reason that all were refused, and why."""
    outcomes = members_of(heard).get("outcomes")
    return {
        (str(one.get("hostname")), str(one.get("record_type"))): signed_client.explain(
            shorten(str(one.get("outcome"))), str(one.get("hostname"))
        )
        for one in (outcomes if isinstance(outcomes, list) else ())
        if isinstance(one, dict) and one.get("outcome") not in _DONE
    }


def _listen(conversation: Conversation, heard: list[Heard]) -> Conversation:
    """Hold a conversation, and keep what was heard. That no answer came is its own to judge."""
    try:
        ask = next(conversation)
        while True:
            try:
                heard.append((yield ask))
            except ServerUnreachable as error:
                ask = conversation.throw(error)
            else:
                ask = conversation.send(heard[-1])
    except StopIteration as end:
        reply: Reply = end.value
        return reply


# --- awslabs


def _hold_by_family(make: Callable[[Family | None], Conversation], settings: ClientSettings, line: Line) -> Reply:
    """Ask over IPv4, as the original does: its server looks for our own row by the family. Else by any way."""
    heard: list[Heard] = []
    reply = hold(_listen(make(6 if settings.ipv6_only else 4), heard), settings, line)
    return reply if heard or settings.ipv6_only or settings.ipv4_only else hold(make(None), settings, line)


def _list_awslabs(settings: ClientSettings, family: Family | None, found: list[Member]) -> Conversation:
    told = awslabs_client.read_get((yield awslabs_client.make_get(family, is_post=False)))
    if isinstance(told, Reply):
        return told
    name = settings.names[0]  # as it is written: this server tells capitals from small letters
    hostname = (name if name.isascii() else canonical(name)).removesuffix(".") + "."
    heard = yield awslabs_client.make_list(settings.secret or "", hostname, told)
    members = members_of(heard)
    message = members.get("return_message")
    if isinstance(message, list) and members.get("return_status") == "success":
        return _take(heard, message, found)
    if isinstance(message, str) and members.get("return_status") == "fail":
        return refused(shorten(message))
    return read_failure(heard) or not_a_server(f"HTTP {heard.status}, but not the answer of an awslabs server")


def _set_awslabs(settings: ClientSettings, moves: Sequence[Move], line: Line) -> tuple[tuple[Row, ...], int | None]:
    """Set one after the other. What is refused for one is no reason to leave the next, unless nobody is there."""
    replies: list[Reply] = []
    last = _hold_by_family(lambda family: _say_each(settings, moves, family, replies), settings, line)
    rows = [_row(move, reply.kind.value, reply.text) for move, reply in zip(moves, replies, strict=False)]
    rows += [_row(move, last.kind.value, last.text) for move in moves[len(replies) :]]
    return tuple(rows), last.retry_after


def _say_each(
    settings: ClientSettings, moves: Sequence[Move], family: Family | None, replies: list[Reply]
) -> Conversation:
    told = awslabs_client.read_get((yield awslabs_client.make_get(family, is_post=False)))
    if isinstance(told, Reply):
        return told
    reply = refused("nothing was asked")
    for move in moves:
        reply = yield from _say(settings, move, told)
        replies.append(reply)
        if reply.kind in (Kind.NOT_A_SERVER, Kind.TRY_LATER):
            break
    return reply


def _say(settings: ClientSettings, move: Move, told: Address) -> Conversation:
    internal = move.address if move.address != told else None
    hostname = move.member.listed or move.member.hostname
    ask = awslabs_client.make_set(settings.secret or "", hostname, told, internal, is_post=False)
    return awslabs_client.read_answer((yield ask), hostname)


# --- what they share


def _take(heard: Heard, entries: object, found: list[Member]) -> Reply:
    group = parse_group(entries)
    if group is None:
        return not_a_server(f"HTTP {heard.status}, but not a list of hosts: {shorten(heard.text, 60)}")
    found[:] = group
    return Reply(Kind.UNCHANGED, f"{len(group)} rows")


def _key(move: Move) -> tuple[str, str]:
    return (move.member.hostname, move.member.record_type)


def _is_done(move: Move, reply: Reply) -> bool:
    """Tell whether a reply that as a whole is no success says that this one was set."""
    return _row_of(move, reply).outcome in _DONE


def _row_of(move: Move, reply: Reply) -> Row:
    """Return what a reply says of one name and family; where it says nothing of it, the whole verdict."""
    for host in reply.hosts:
        if canonical(host.hostname) == move.member.hostname and str(move.address) in host.addresses:
            return _row(move, host.kind.value, host.text or move.reason)
        if canonical(host.hostname) == move.member.hostname and host.family == move.address.version:
            return _row(move, host.kind.value, host.text)
    return _row(move, reply.kind.value, reply.text)


def _row(move: Move, outcome: Any, text: str) -> Row:
    return Row(move.member.hostname, move.member.record_type, str(move.address), outcome, text)
