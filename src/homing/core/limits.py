"""Limits that hold abuse down without ever hitting a client whose secret is right.

A token bucket holds `burst` tokens and gets `rate` a second. Two things are limited:

- *failures*, by the prefix that they come from, and only where verifying is slow (scrypt): a wrong guess must not burn
  our CPU, and who has verified once is remembered and not asked again;
- *changes* of one RRset, by its key, so that a client in a loop cannot wear out the store or DNS. Each family has its
  own budget: IPv4 and then IPv6, back to back, is what routers do. Polls that change nothing are never limited.

State is bounded: the table forgets what has refilled, and then the oldest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.core.values import frozen

if TYPE_CHECKING:
    from collections.abc import Hashable

MAX_ENTRIES = 10_000


@frozen
class Rate:
    """`burst` at once, `per_second` after that."""

    burst: float
    per_second: float


class Buckets:
    """Token buckets by key. Not safe for use by several threads at once; time is an argument, in seconds."""

    def __init__(self, rate: Rate, max_entries: int = MAX_ENTRIES) -> None:
        self._rate = rate
        self._max = max_entries
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: Hashable, now: float) -> bool:
        """Take one token; False if there is none."""
        level = self.level(key, now)
        allowed = level >= 1
        self._put(key, level - 1 if allowed else level, now)
        return allowed

    def has(self, key: Hashable, now: float) -> bool:
        """Tell whether there is a token, without taking it."""
        return self.level(key, now) >= 1

    def level(self, key: Hashable, now: float) -> float:
        """Return how many tokens there are. A clock that jumped back neither gives nor takes any."""
        level, at = self._levels.get(key, (self._rate.burst, now))
        if now < at:
            self._levels[key] = (level, now)  # from here on, or it would stand still until the clock is back
        return min(self._rate.burst, level + max(0.0, now - at) * self._rate.per_second)

    def seconds_until_one(self, key: Hashable, now: float) -> float:
        """Return how many seconds until `take` can succeed."""
        return max(0.0, 1 - self.level(key, now)) / self._rate.per_second

    def _put(self, key: Hashable, level: float, now: float) -> None:
        self._levels.pop(key, None)  # so that dict order is the order of use
        self._levels[key] = (level, now)
        if len(self._levels) > self._max:
            self._forget(now)

    def _forget(self, now: float) -> None:
        for key in [key for key in self._levels if self.level(key, now) >= self._rate.burst]:
            del self._levels[key]
        while len(self._levels) > self._max * 3 // 4:
            del self._levels[next(iter(self._levels))]
