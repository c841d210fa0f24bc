"""How long a call may be tried again, and how long to wait in between: full jitter within a total time.

And when a function that is about to be ended has to be done with all of its calls.

The rule: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS = 0.05
"""The most that the first wait lasts; DynamoDB's own clients begin with the same."""

CAP_SECONDS = 2.0
MAX_WAITS = 30
"""Ends a call even where the clock stands still."""

_LEAST_USEFUL_SECONDS = 0.05
"""With less than this left, another attempt would only end in a timeout."""


class Clock(Protocol):
    """The time."""

    def now(self) -> float:
        """Return seconds since 1970."""
        ...


def full_jitter(upper: float) -> float:
    """Return a random number of seconds from 0 to `upper`. Two copies of one process image never draw the same."""
    return upper * int.from_bytes(os.urandom(4), "big") / 2**32


class Deadline:
    """When all calls of a function have to be over. Whoever runs it sets that anew for each request."""

    def __init__(self) -> None:
        self.at = float("inf")
        """Seconds since 1970."""

    def shorten(self, seconds: float, now: float) -> float:
        """Return as many of the seconds as are left until then, 0 or more."""
        return max(0.0, min(seconds, self.at - now))


class Budget:
    """The time that one call has, from its making on, all attempts and waits together. In seconds."""

    def __init__(
        self,
        seconds: float,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float], float] = full_jitter,
        *,
        first: float = FIRST_SECONDS,
        cap: float = CAP_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._upper = first
        self._cap = cap
        self._began = clock.now()
        self._waits = 0
        self._waited = 0.0

    def remaining(self) -> float:
        """Return the seconds that are left, 0 or more. Time slept counts even if the clock is set back."""
        spent = max(self._clock.now() - self._began, self._waited)
        return max(0.0, self._seconds - spent)

    def wait(self, at_least: float = 0.0) -> bool:
        """Wait before the next attempt and return True; return False, at once, if no time is left for one."""
        delay = max(at_least, self._jitter(min(self._upper, self._cap)))
        if self._waits >= MAX_WAITS or self.remaining() - delay < _LEAST_USEFUL_SECONDS:
            return False
        self._upper = min(self._upper * 2, self._cap)
        self._waits += 1
        self._waited += delay
        self._sleep(delay)
        return True
