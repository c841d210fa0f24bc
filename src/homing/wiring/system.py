"""The clock and the randomness of the machine that this runs on."""

from __future__ import annotations

import os
import time


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()


class SystemEntropy:
    """The operating system's random bytes."""

    def bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        return os.urandom(count)  # what `secrets` does, without its imports
