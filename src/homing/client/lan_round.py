"""One round of `homing lan`: ask the server for the group, look around, set what has moved, tell what became of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from homing.client.lan import missing, plan
from homing.client.lan_server import GroupUnknown, list_members, set_members
from homing.client.lan_values import Aim, Scene
from homing.client.leases import read_leases
from homing.client.looking import SETTLE, look_around
from homing.client.update import Result, Row, line_of
from homing.core.names import parse_hostname
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from homing.client.lan_values import Kept, Member, Move
    from homing.client.leases import Lease
    from homing.client.neighbours import Reader
    from homing.core.addresses import Address
    from homing.settings.client import ClientSettings
    from homing.settings.lan import LanSettings


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
    leases = read_all_leases(lan.leases)
    aim = aim_of(account, lan, own)
    line = line_of(account)
    try:
        members = list_members(account, line)
    except GroupUnknown as error:
        return Round(Result((_no_group(account, error),), error.reply.retry_after))
    scene = look_around(reader, members, leases, aim, wakes=lan.wake, patience=patience)
    found = plan(members, scene, aim)
    known = held or {}
    news = [move for move in found.moves if move.is_news and known.get(_key(move)) != move.address]
    rest = [move for move in found.moves if move not in news]
    rows, retry_after = _send(account, news, is_dry_run=is_dry_run)
    good = {(row.hostname, row.record_type) for row in rows if row.outcome in ("updated", "unchanged")}
    set_to = {_key(move): move.address for move in found.moves if move in rest or _key(move) in good}
    rows = (*rows, *(_row(move, "unchanged") for move in rest), *(_kept(one) for one in found.kept))
    is_waiting = bool(missing(members, scene, aim))
    return Round(Result(_in_order(members, rows), retry_after), members, scene, set_to, is_waiting)


def read_all_leases(files: Sequence[Path]) -> tuple[Lease, ...]:
    """Return the leases of several files. Raises InvalidInput."""
    now = time.time()
    return tuple(lease for file in files for lease in read_leases(file, now))


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


def _kept(one: Kept) -> Row:
    address = str(one.member.address) if one.member.address else None
    return Row(one.member.hostname, one.member.record_type, address, "skipped", one.reason)


def _in_order(members: Sequence[Member], rows: Sequence[Row]) -> tuple[Row, ...]:
    places = {(member.hostname, member.record_type): number for number, member in enumerate(members)}
    return tuple(sorted(rows, key=lambda row: places.get((row.hostname, row.record_type), 0)))


def _key(move: Move) -> tuple[str, str]:
    return (move.member.hostname, move.member.record_type)
