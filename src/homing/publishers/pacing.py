"""The pace at which one process calls an API: so many requests and so many changes a second, over all zones.

Both are token buckets, kept as the moment at which each would be full again. What waits for the pace waits before it
sends, so that no request is wasted on being refused. Nothing here knows what is called.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from homing.core.errors import Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.app.ports import Clock


class Pace:
    """One for all callers of a process, whatever zone they are at. Safe for use by several threads.

    Of requests there are at most `burst + requests_per_second * t` in any t seconds, and with a burst of 1, so that
    they are evenly spaced, never more than `requests_per_second` in any second. A batch of changes is let go as soon
    as the ones before it have had their time, however large it is. A rate of 0 is no limit.
    """

    def __init__(
        self,
        requests_per_second: float,
        changes_per_second: float,
        clock: Clock,
        *,
        burst: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`burst` is how many requests may follow each other at once after a rest."""
        self._requests = _Bucket(requests_per_second, burst)
        self._changes = _Bucket(changes_per_second, 1)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._at = clock.now()

    def take(self, changes: int = 0, *, within: float) -> None:
        """Wait until one request with so many new changes may be sent, at most `within` seconds.

        Raises Throttled at once, having taken nothing, where the wait would be longer.
        """
        with self._lock:
            now = self._now()
            wait = max(self._requests.wait(now), self._changes.wait(now) if changes else 0.0)
            if wait > within:
                raise Throttled("the rate that is set for requests or changes is used up", retry_after=wait)
            self._requests.take(1, now + wait)
            self._changes.take(changes, now + wait)
        if wait > 0:
            self._sleep(wait)
            with self._lock:  # a process that was frozen in its sleep is late, and those behind it move back
                self._requests.sent(self._now())

    def _now(self) -> float:
        """A clock that was set back must not stop everything for as long as it jumped."""
        now = self._clock.now()
        if now < self._at:
            self._requests.shift(now - self._at)
            self._changes.shift(now - self._at)
        self._at = now
        return now


class _Bucket:
    """A token bucket as a virtual schedule (the GCRA of ITU-T I.371): `full_at` is when it would be full again."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate if rate > 0 else 0.0
        self._tolerance = self._interval * (burst - 1)
        self._full_at = 0.0

    def wait(self, now: float) -> float:
        return max(0.0, self._full_at - self._tolerance - now)

    def take(self, count: int, at: float) -> None:
        if count and self._interval:
            self._full_at = max(self._full_at, at) + count * self._interval

    def sent(self, at: float) -> None:
        self._full_at = max(self._full_at, at + self._interval)

    def shift(self, seconds: float) -> None:
        self._full_at += seconds
