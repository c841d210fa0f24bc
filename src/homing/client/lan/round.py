"""One round of `homing lan`: ask the server for the group, look around, set what has moved, tell what became of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from homing.client.lan.leases import read_leases
from homing.client.lan.looking import SETTLE, look_around
from homing.client.lan.plan import missing, plan
from homing.client.lan.server import GroupUnknown, list_members, set_members
from homing.client.lan.values import Aim, Scene
from homing.client.update import Result, Row, line_of
from homing.core.errors import InvalidInput
from homing.core.names import parse_hostname
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from homing.client.lan.leases import Lease
    from homing.client.lan.neighbours import Reader
    from homing.client.lan.values import Kept, Member, Move
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings
    from homing.settings.lan import LanSettings

_LOST = "no MAC address is known of it, and there are leases that cannot be read: homing host set NAME --mac-address"


@frozen
class Round:
    """What became of one account, and what its members and the links are, for whoever watches them."""

    result: Result
    members: tuple[Member, ...] = ()
    scene: Scene = field(default_factory=lambda: Scene(()))
    set_to: Mapping[tuple[str, str], Address] = field(default_factory=dict)
    """What the server has acknowledged in this round, or is known to hold."""
    is_waiting: bool = False
    """Somebody was not found, or not for certain."""
    lacks_leases: bool = False
    """Somebody was not found who may stand in leases that cannot be read."""


def make_round(
    account: ClientSettings,
    reader: Reader,
    lan: LanSettings,
    own: Sequence[str],
    *,
    patience: float = SETTLE,
    held: Mapping[tuple[str, str], Address] | None = None,
    is_dry_run: bool = False,
) -> Round:
    """Make a round for one account. `held` is what its server holds where that does not tell; `own` stays untouched.

    A dry run says what would be set.

    Raises InvalidInput for settings that cannot be used, OSError where the neighbour tables cannot be read.
    """
    leases, notes = read_all_leases(lan.leases)
    aim = aim_of(account, lan, own)
    line = line_of(account)
    try:
        members = list_members(account, line)
    except GroupUnknown as error:
        return Round(Result((_no_group(account, error),), error.reply.retry_after, notes))
    scene = look_around(reader, members, leases, aim, wakes=lan.wake, patience=patience)
    found = plan(members, scene, aim)
    known = held or {}
    news = [move for move in found.moves if move.is_news and known.get(_key(move)) != move.address]
    rest = [move for move in found.moves if move not in news]
    rows, retry_after = _send(account, news, is_dry_run=is_dry_run)
    good = {(row.hostname, row.record_type) for row in rows if row.outcome in ("updated", "unchanged")}
    set_to = {_key(move): move.address for move in found.moves if move in rest or _key(move) in good}
    lost = [one for one in found.kept if notes and _needs_leases(one, aim)]
    kept = [_kept(one, _LOST if one in lost else one.reason) for one in found.kept]
    rows = (*rows, *(_row(move, "unchanged") for move in rest), *kept)
    is_waiting = bool(lost or missing(members, scene, aim))
    result = Result(_in_order(members, rows), retry_after, notes)
    return Round(result, members, scene, set_to, is_waiting, bool(lost))


def read_all_leases(files: Sequence[Path]) -> tuple[tuple[Lease, ...], tuple[str, ...]]:
    """Return the leases of several files, and what is wrong with those that cannot be read.

    OpenWrt's dnsmasq writes its file some time after the start: most machines are found without it.
    """
    now = time.time()
    leases: list[Lease] = []
    notes = []
    for file in files:
        try:
            leases += read_leases(file, now)
        except InvalidInput as error:
            notes.append(f"{error}: going on without these leases")
    return tuple(leases), tuple(notes)


def aim_of(account: ClientSettings, lan: LanSettings, own: Sequence[str]) -> Aim:
    """Return what the settings want of a round."""
    names = frozenset(str(parse_hostname(name)) for name in (*account.names, *own))
    return Aim(names, lan.prefix, lan.eui64, account.public_networks)


def _send(account: ClientSettings, news: Sequence[Move], *, is_dry_run: bool) -> tuple[tuple[Row, ...], int | None]:
    if is_dry_run or not news:
        return tuple(_row(move, "would send") for move in news), None
    return set_members(account, news, line_of(account))


def _no_group(account: ClientSettings, error: GroupUnknown) -> Row:
    record_type = "AAAA" if account.ipv6_only else "A"
    text = f"its group is not known: {error.reply.text}"
    return Row(account.names[0], record_type, None, error.reply.kind.value, text)  # type: ignore[arg-type]  # no success


def _row(move: Move, outcome: str) -> Row:
    return Row(move.member.hostname, move.member.record_type, str(move.address), outcome, move.reason)  # type: ignore[arg-type]  # one of its words


def _kept(one: Kept, reason: str) -> Row:
    address = str(one.member.address) if one.member.address else None
    return Row(one.member.hostname, one.member.record_type, address, "skipped", reason)


def _needs_leases(one: Kept, aim: Aim) -> bool:
    """Tell whether only a lease could have told which machine it is."""
    member = one.member
    is_known = member.mac is not None or (member.version == 6 and member.identifier is not None)
    return not is_known and not member.is_locked and member.hostname not in aim.own


def _in_order(members: Sequence[Member], rows: Sequence[Row]) -> tuple[Row, ...]:
    places = {(member.hostname, member.record_type): number for number, member in enumerate(members)}
    return tuple(sorted(rows, key=lambda row: places.get((row.hostname, row.record_type), 0)))


def _key(move: Move) -> tuple[str, str]:
    return (move.member.hostname, move.member.record_type)
