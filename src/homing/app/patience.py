"""How long each zone is left alone after DNS failed to take its changes: exponential backoff with full jitter."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from homing.core.errors import Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.app.ports import Clock
    from homing.core.errors import PublishError
    from homing.core.names import Name

BACKOFF_FIRST, BACKOFF_CAP = 1.0, 300.0
"""Seconds; full jitter between 0 and a bound that doubles from the first to the cap."""


class _Backoff:
    """When a zone may be tried again, in seconds since 1970, how often it failed, and whether DNS asked to wait."""

    def __init__(self) -> None:
        self.failures = 0
        self.since = 0.0
        self.until = 0.0
        self.is_asked = False

    def holds(self, now: float) -> bool:
        """A clock that was set back ends it: it must not hold for as long as the clock jumped."""
        return self.since <= now < self.until


class Patience:
    """Remembers which zones fail. Safe for use by several threads."""

    def __init__(self, clock: Clock, jitter: Callable[[], float]) -> None:
        """Make one; `jitter` returns a number from 0 to 1 at random."""
        self._clock = clock
        self._jitter = jitter
        self._backoff: dict[Name, _Backoff] = {}
        self._lock = threading.Lock()

    def is_due(self, zone: Name) -> bool:
        """Tell whether the zone may be tried again."""
        backoff = self._backoff.get(zone)
        return backoff is None or not backoff.holds(self._clock.now())

    def asked_to_wait(self, zone: Name) -> bool:
        """Tell whether DNS itself asked to wait. Only that holds up a commit's own publishing."""
        backoff = self._backoff.get(zone)
        return backoff is not None and backoff.is_asked and backoff.holds(self._clock.now())

    def note_success(self, zone: Name) -> bool:
        """Forget what failed; tell whether anything had."""
        if zone not in self._backoff:
            return False
        with self._lock:
            return self._backoff.pop(zone, None) is not None

    def note_failure(self, zone: Name, error: PublishError) -> float:
        """Return for how many seconds the zone is left alone now."""
        with self._lock:
            backoff = self._backoff.setdefault(zone, _Backoff())
            bound = min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** min(backoff.failures, 16))
            wait = max(bound * self._jitter(), error.retry_after if isinstance(error, Throttled) else 0.0)
            backoff.failures += 1
            backoff.is_asked = isinstance(error, Throttled)
            backoff.since = self._clock.now()
            backoff.until = backoff.since + wait
        return wait

    def is_first_failure(self, zone: Name) -> bool:
        """Tell whether the zone has failed once since it last worked: only that is news."""
        backoff = self._backoff.get(zone)
        return backoff is not None and backoff.failures == 1
