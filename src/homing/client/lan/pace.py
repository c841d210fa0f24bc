"""When the next round of `homing lan --watch` is due. Pure: times are in seconds of a clock that never jumps.

A change of the link is followed by a round as soon as it has settled, and by some more where somebody was not found:
machines take a second or two to make themselves an address behind a new prefix (RFC 4862). What the server asked for
is kept in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.client.agent.waits import Bucket, asked, full_bucket, refused, soon
from homing.client.lan.looking import SETTLE
from homing.core.values import frozen, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homing.client.update import Row

QUIET, IMPATIENT = 0.5, 5.0
"""A link counts as settled after so much quiet, or so long after it began to change."""
PATIENCE = 4.0
"""What machines are given to come up with a new address, after a change."""
AGAIN = (3.0, 15.0, 60.0)
"""Linux takes a neighbour for reachable for up to 45 seconds after it left."""
_LONGEST = 3600.0
"""Seconds after which the rest of a group is looked after, whatever the server goes on to refuse of one."""
_BURST, _SECONDS = 5.0, 30.0
"""Rounds that changes bring about: so many at once, then one every so many seconds."""


@frozen
class Pace:
    """What is known about the next round."""

    next_at: float
    rounds: Bucket
    patience: float = SETTLE
    changed_at: float | None = None
    again: tuple[float, ...] = ()
    failures: int = 0
    not_before: float = 0.0
    """The server asked to be left alone until then."""


def first_pace(now: float, first_in: float = 0.0) -> Pace:
    """Return that a round is due at once, or when the server asked for before a restart."""
    at = now + first_in
    return Pace(at, full_bucket(_BURST, _SECONDS, now), not_before=at)


def forced(pace: Pace, now: float) -> Pace:
    """Return that the owner wants a round now; a server that asked to be left alone is."""
    return replace(pace, next_at=max(now, pace.not_before), patience=PATIENCE, again=AGAIN)


def changed(pace: Pace, now: float) -> Pace:
    """Return what follows from a change of the link."""
    since = now if pace.changed_at is None else pace.changed_at
    due = max(min(now + QUIET, since + IMPATIENT), pace.not_before, pace.rounds.ready_at(now))
    next_at = due if pace.changed_at is not None else min(due, pace.next_at)
    return replace(pace, next_at=max(next_at, pace.not_before), changed_at=since, patience=PATIENCE, again=AGAIN)


def made(
    pace: Pace, now: float, rows: Sequence[Row], interval: float, chance: float, *,
    retry_after: int | None = None, is_waiting: bool = False,
) -> Pace:  # fmt: skip
    """Return what follows from a round. `chance` is a number from 0 to 1.

    Rows that were right already tell nothing of how the server is: it was not asked about them.
    """
    pace = replace(pace, changed_at=None, rounds=pace.rounds.taken(now))
    bad = [row for row in rows if not row.is_good]
    if bad and not any(row.outcome == "updated" for row in rows):
        failed = _failed(pace, now, bad, chance, retry_after)
        has_others = any(row.outcome == "unchanged" for row in rows)
        longest = max(now + _LONGEST, failed.not_before)
        return replace(failed, next_at=min(failed.next_at, longest)) if has_others else failed
    pace = replace(pace, failures=0, not_before=now + (retry_after or 0))
    if is_waiting and pace.again:
        return replace(pace, next_at=max(now + pace.again[0], pace.not_before), again=pace.again[1:])
    next_at = max(now + interval * (0.9 + 0.2 * chance), pace.not_before)
    return replace(pace, next_at=next_at, again=(), patience=SETTLE)


def _failed(pace: Pace, now: float, bad: Sequence[Row], chance: float, retry_after: int | None) -> Pace:
    failures = pace.failures + 1
    if retry_after is not None:
        wait = asked(failures, retry_after, chance)
        return replace(pace, failures=failures, next_at=now + wait, not_before=now + wait)
    is_refused = any(row.outcome == "refused" for row in bad)
    wait = refused(failures, chance) if is_refused else soon(failures, chance)
    return replace(pace, failures=failures, next_at=now + wait)
