"""Calls to Route 53 at a pace, repeated within a time budget: what is only "not now" is dealt with here.

What Route 53 says about the changes themselves is left to the publisher.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from homing.aws.budget import Budget, Deadline, full_jitter
from homing.aws.errors import NoAnswer, ServiceError
from homing.core.errors import Throttled, Unreachable
from homing.core.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homing.app.ports import Clock
    from homing.aws.errors import AwsError
    from homing.aws.route53 import Change, Page, Route53
    from homing.core.errors import PublishError
    from homing.publishers.pacing import Pace

T = TypeVar("T")

REFUSALS = frozenset({"InvalidChangeBatch", "InvalidInput"})
"""The batch is not done for what it says, or for what DNS holds."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
"""Seconds: the bounds of the jitter; the first is about how long Route 53 works on a batch."""
_LEAST_USEFUL = 0.05
"""With less time left, in seconds, an attempt would only end in a timeout."""

_ADVICE = {
    "NoSuchHostedZone": "there is no such zone; is the zone id in the settings right?",
    "AccessDenied": "the role may not do this; does its policy name this zone?",
    "InvalidInput": "is the zone id in the settings right?",
}


@frozen
class PacedRoute53:
    """Route 53 as one process may call it. Times in seconds."""

    client: Route53
    pace: Pace
    clock: Clock
    budget_seconds: float
    """For one batch with all that belongs to it, or for one page."""
    attempt_seconds: float
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float], float] = full_jitter
    deadline: Deadline = field(default_factory=Deadline)
    mark_seconds: float = 0.0
    """Of the time until the deadline, so much is left to whoever notes in the store what was done."""

    def begin(self, zone_id: str) -> Calls:
        """Begin calls that share one budget."""
        left = self.deadline.shorten(self.budget_seconds, self.clock.now() + self.mark_seconds)
        waits = {"first": FIRST_WAIT, "cap": LONGEST_WAIT}
        return Calls(self, zone_id, Budget(left, self.clock, self.sleep, self.jitter, **waits))


class Calls:
    """The calls for one batch, or for one page, of one zone. Used by one thread."""

    def __init__(self, route53: PacedRoute53, zone_id: str, budget: Budget) -> None:
        self.zone_id = zone_id
        self._route53 = route53
        self._budget = budget
        self._counted = False  # the changes, once: what was refused has not used up what is allowed
        self._in_doubt = False  # a change may have been made without our being told

    def change(self, changes: Sequence[Change]) -> None:
        """Apply a batch. Raises ServiceError with a code of REFUSALS; Throttled or Unreachable once time is up.

        An answer that was lost is neither success nor failure: the batch is sent again, and if it had been carried
        out, it is refused now, because what it replaces is gone.
        """
        count, self._counted = 0 if self._counted else len(changes), True
        client, zone_id = self._route53.client, self.zone_id
        self._repeat(lambda timeout: client.change(zone_id, changes, timeout), count, is_change=True)

    def list(self, start: tuple[str, str], max_items: int) -> Page:
        """Return a page. Raises Throttled or Unreachable."""
        client, zone_id = self._route53.client, self.zone_id
        return self._repeat(lambda timeout: client.list(zone_id, start, max_items, timeout), 0, is_change=False)

    def _repeat(self, call: Callable[[float], T], changes: int, *, is_change: bool) -> T:
        last: AwsError | None = None
        while True:
            timeout = self._wait_for_turn(changes if last is None else 0, last)
            try:
                return call(timeout)
            except (ServiceError, NoAnswer) as error:
                last = error
                self._judge(error, is_change=is_change)
            if not self._budget.wait():
                raise self._give_up(last)

    def _wait_for_turn(self, changes: int, last: AwsError | None) -> float:
        """Return for how long, in seconds, the next attempt may take."""
        try:
            self._route53.pace.take(changes, within=max(0.0, self._budget.remaining() - _LEAST_USEFUL))
        except Throttled as error:
            raise self._doubted(error) from None
        left = self._budget.remaining()
        if left < _LEAST_USEFUL:
            raise self._give_up(last)
        return min(left, self._route53.attempt_seconds)

    def _judge(self, error: ServiceError | NoAnswer, *, is_change: bool) -> None:
        """Return if another attempt is worth it, and raise what says why not."""
        if isinstance(error, NoAnswer):
            self._in_doubt |= is_change and error.may_have_arrived
            return
        self._in_doubt |= is_change and (error.repeated or error.may_have_happened)
        if _is_temporary(error):
            return
        if is_change and error.code in REFUSALS:
            raise error
        advice = _ADVICE.get(error.code, "")
        raise Unreachable(f"Route 53, zone {self.zone_id}: {error}" + (f" ({advice})" if advice else ""))

    def _give_up(self, last: AwsError | None) -> PublishError:
        if last is None:
            return self._doubted(Throttled("no time was left to call Route 53"))
        if isinstance(last, ServiceError) and not last.may_have_happened:
            return self._doubted(Throttled(f"Route 53, zone {self.zone_id}: {last}"))
        return Unreachable(f"Route 53, zone {self.zone_id}: {last}")

    def _doubted(self, error: Throttled) -> PublishError:
        """Whoever hears of Throttled may rely on that nothing was done."""
        return Unreachable(f"{error}, and an earlier answer was lost") if self._in_doubt else error


def _is_temporary(error: ServiceError) -> bool:
    return error.is_throttling or error.may_have_happened or error.code == "PriorRequestNotComplete"
