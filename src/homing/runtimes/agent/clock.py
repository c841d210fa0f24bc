"""The agent's clocks: one that never jumps and counts sleep, where the system has such a one, and what they tell."""

from __future__ import annotations

import os
import time

from homing.client.agent.values import Moment

JUMP = 5.0
"""Seconds by which a clock must have moved against another to count as set, or the machine as having slept."""


def now() -> float:
    """Return seconds of the clock that never jumps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def this_moment() -> Moment:
    """Return the time of a step."""
    return Moment(now(), time.time(), int.from_bytes(os.urandom(4)) / 2**32)


class Jumps:
    """Notices that the machine has slept, or that its clock was set."""

    def __init__(self) -> None:
        self._offsets = _offsets()

    def notice(self) -> bool:
        """Tell whether that has happened since the last call."""
        new = _offsets()
        has_jumped = any(abs(one - other) > JUMP for one, other in zip(new, self._offsets, strict=True))
        self._offsets = new
        return has_jumped


def _offsets() -> tuple[float, float]:
    """Return what changes only when the machine sleeps, and when its clock is set."""
    at = now()
    return at - time.monotonic(), time.time() - at
