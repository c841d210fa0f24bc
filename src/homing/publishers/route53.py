"""The publisher of Route 53: a batch is a compare-and-swap, the DELETE of the exact old and the CREATE of the new.

Route 53 does all of a batch or none of it, and refuses it where a DELETE names what is not there or a CREATE what is.
So nothing is read on the way; only what is refused is looked into. Never an UPSERT: it would let a late publisher put
an old address over a newer one.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from homing.aws.budget import Deadline, full_jitter
from homing.aws.errors import ServiceError
from homing.core.errors import Drifted, InvalidInput, Rejected, Unreachable
from homing.publishers.route53_calls import PacedRoute53
from homing.publishers.route53_reading import read_held
from homing.publishers.route53_records import Swap, as_written, canonical, count_fitting, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping, Sequence

    from homing.app.ports import Clock
    from homing.aws.route53 import Route53
    from homing.core.names import Name
    from homing.core.records import RRset, RRsetChange, RRsetKey
    from homing.publishers.pacing import Pace
    from homing.publishers.route53_calls import Calls
    from homing.publishers.route53_records import Held

PUBLISHER_SECONDS = 45.0
"""Seconds that a publisher has."""

_ABOUT_WHAT_IS_HELD = re.compile(r"but it already exists|but it was not found|do not match the current values")
_WORDS = re.compile(r"[^\s'\"\[\](),;=]+")
_MAX_SHOWN = 200


class Route53Publisher:
    """Implements Publisher over Route 53. Safe for use by several threads.

    - A plain record set that was there before us is adopted. One with an alias or a routing policy is not ours: it is
      read as an RRset that differs from whatever is desired, and a change of it is Rejected.
    - What can be repeated is repeated within a time budget: then it is Throttled, or Unreachable where an answer was
      lost, or where Route 53 says something for the operator.
    """

    follows_store = False

    def __init__(
        self,
        client: Route53,
        zone_ids: Mapping[Name, str],
        pace: Pace,
        clock: Clock,
        *,
        budget_seconds: float = PUBLISHER_SECONDS,
        attempt_seconds: float = 10.0,
        reserved: Container[Name] = frozenset(),
        deadline: Deadline | None = None,
        mark_seconds: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float], float] = full_jitter,
    ) -> None:
        """Make one that knows the zones by their ids.

        `reserved` are names that the role may not change, such as the stack's own: one of them would have all of its
        batch refused. `budget_seconds` is for each batch, and for each page that is read; one attempt has at most
        `attempt_seconds` of it. All calls are over `mark_seconds` before the `deadline`, so that what was done can be
        noted.
        """
        self._zone_ids = zone_ids
        self._reserved = reserved
        self._route53 = PacedRoute53(
            client, pace, clock, budget_seconds, attempt_seconds, sleep, jitter, deadline or Deadline(), mark_seconds
        )
        self._partly_told: set[Name] = set()

    def count_fitting(self, changes: Sequence[RRsetChange]) -> int:
        """Return how many of the changes one batch can hold."""
        return count_fitting(changes)

    def publish(self, zone: Name, changes: Sequence[RRsetChange]) -> None:
        """Swap all, or none. Raises Drifted, Rejected, Throttled, Unreachable."""
        if len({change.key for change in changes}) < len(changes):
            raise ValueError("one change a key")
        if len(changes) > 1 and count_fitting(changes) < len(changes):
            raise Rejected(f"{len(changes)} changes are more than one batch can hold")
        swaps = {change.key: self._to_swap(change) for change in changes}
        if swaps:
            self._swap(zone, swaps, self._route53.begin(self._find_id(zone)))

    def read(self, zone: Name, keys: Collection[RRsetKey]) -> Mapping[RRsetKey, RRset | None]:
        """Return what Route 53 holds, addresses in canonical text. Raises Throttled, Unreachable."""
        if not keys:
            return {}
        zone_id = self._find_id(zone)
        held = read_held(lambda start, count: self._route53.begin(zone_id).list(start, count), keys)
        return {key: one.rrset for key, one in held.items()}

    def _to_swap(self, change: RRsetChange) -> Swap:
        name, type_ = change.key
        if name in self._reserved:
            raise Rejected(f"{name} is not for hosts")
        if change.before is not None and not is_plain(change.before):
            raise Rejected(f"{name} {type_} is not a plain record set in Route 53: {change.before.rdata[0]}")
        return Swap(change.key, canonical(type_, change.before), canonical(type_, change.after), change.before)

    def _find_id(self, zone: Name) -> str:
        zone_id = self._zone_ids.get(zone)
        if zone_id is None:
            raise Unreachable(f"no zone id is set for {zone}")
        return zone_id

    def _swap(self, zone: Name, swaps: Mapping[RRsetKey, Swap], calls: Calls) -> None:
        """Send the batch, without what DNS turns out to hold already, until it is done or it is clear why it cannot be.

        A swap of an RRset for itself is sent like any other, since it tells whether DNS still holds it; that there is
        nothing can only be read. What is refused although DNS holds all of `before` is tried again: it may have moved
        there and back meanwhile.
        """
        if absent := [key for key, swap in swaps.items() if swap.before is None and swap.after is None]:
            held = read_held(calls.list, absent)
            self._raise_drift(zone, swaps, held)
            swaps = _left(swaps, held)
        read_all = zone in self._partly_told
        in_vain = 0
        while swaps:
            refusal = _send(calls, swaps)
            if refusal is None:
                break
            held = read_held(calls.list, swaps if read_all else _named(refusal, swaps))
            self._raise_drift(zone, swaps, held)
            left = _left(swaps, held)
            if len(left) == len(swaps):
                in_vain += 1
                if in_vain > (3 if _ABOUT_WHAT_IS_HELD.search(refusal.message) else 1):
                    raise Rejected(_shown(refusal))
            read_all = read_all or len(left) < len(swaps)
            swaps = left
        self._partly_told.discard(zone)

    def _raise_drift(self, zone: Name, swaps: Mapping[RRsetKey, Swap], held: Mapping[RRsetKey, Held]) -> None:
        """Should Route 53 name some of what drifted only, all is read once the same zone is refused again."""
        drifted = {
            key: one.rrset for key, one in held.items() if one.rrset not in (swaps[key].before, swaps[key].after)
        }
        if drifted:
            self._partly_told.add(zone)
            raise Drifted(drifted)


def _send(calls: Calls, swaps: Mapping[RRsetKey, Swap]) -> ServiceError | None:
    """Return why Route 53 refuses the batch for what it says or for what DNS holds; None if it is done."""
    try:
        calls.change([change for swap in swaps.values() for change in swap.to_changes()])
    except ServiceError as refusal:
        return refusal
    except InvalidInput as error:
        raise Rejected(str(error)) from None
    return None


def _left(swaps: Mapping[RRsetKey, Swap], held: Mapping[RRsetKey, Held]) -> dict[RRsetKey, Swap]:
    """Return what is still to be swapped, from what DNS holds word for word, which need not be our words."""
    left = {}
    for key, swap in swaps.items():
        one = held.get(key)
        if one is None:
            left[key] = swap
        elif one.rrset != swap.after:
            left[key] = Swap(key, swap.before, swap.after, one.verbatim)
    return left


def _named(refusal: ServiceError, swaps: Mapping[RRsetKey, Swap]) -> Collection[RRsetKey]:
    """Return the changes that a refusal is about; all, if it names none.

    Messages name a record set (`[name='cam.home.example.', type='A']`), its name alone, or a value.
    """
    words = set(_WORDS.findall(refusal.message))
    return [key for key, swap in swaps.items() if as_written(key.name) in words or _has_value(swap, words)] or swaps


def _has_value(swap: Swap, words: Collection[str]) -> bool:
    return any(value in words for rrset in (swap.verbatim, swap.after) if rrset for value in rrset.rdata)


def _shown(refusal: ServiceError) -> str:
    text = " ".join(refusal.message.split()) or "refused without a reason"
    return f"{refusal.code}: {text[:_MAX_SHOWN]}"
