"""How long the agent waits: between attempts that fail, for a network to settle, and between sends that succeed.

Pure. Times are in seconds of a clock that never jumps; `chance` is a number from 0 to 1 drawn by the caller.
"""

from __future__ import annotations

from homing.core.values import frozen, replace

DAY = 86_400.0
SOON_FIRST, SOON_CAP = 2.0, 300.0
"""After no answer, or one that no update server gives: a captive portal, a router that is starting."""
ASKED_FIRST, ASKED_CAP = 60.0, 1800.0
"""After a server asked to come back later and did not say when."""
REFUSED_FIRST = 300.0
MAX_RETRY_AFTER = DAY
"""A longer wait is not believed: it would silence an agent for good."""
CALM_SECONDS = 60.0
"""For how long one change of address counts towards flapping."""
QUIET_FIRST, QUIET_CAP = 0.1, 60.0
PATIENCE = 10.0
"""A network that never falls quiet is looked at after so many quiet times."""


@frozen
class Bucket:
    """A token bucket as a value: `burst` at once, then one every `seconds`."""

    burst: float
    seconds: float
    level: float
    at: float

    def filled(self, now: float) -> Bucket:
        """Return it as it is at `now`; a clock that went back gives nothing."""
        return replace(self, level=min(self.burst, self.level + max(0.0, now - self.at) / self.seconds), at=now)

    def ready_at(self, now: float) -> float:
        """Return when there is a token; `now` or earlier if there is one."""
        # Less than a token by what floating point loses is a token, or a timer could fire just before it for ever.
        return now + max(0.0, 1 - 1e-9 - self.filled(now).level) * self.seconds

    def taken(self, now: float) -> Bucket:
        """Return it with one token less."""
        filled = self.filled(now)
        return replace(filled, level=max(0.0, filled.level - 1))


def full_bucket(burst: float, seconds: float, now: float) -> Bucket:
    """Return a bucket from which nothing was taken yet."""
    return Bucket(burst, seconds, burst, now)


def soon(failures: int, chance: float) -> float:
    """Return the wait after so many attempts without a usable answer: exponential, half of it jitter."""
    return _jittered(SOON_FIRST, SOON_CAP, failures, chance)


def asked(failures: int, retry_after: float | None, chance: float) -> float:
    """Return the wait that a server asked for, never less than it; some jitter, lest all its clients come at once."""
    if retry_after is None:
        return _jittered(ASKED_FIRST, ASKED_CAP, failures, chance)
    wait = min(max(retry_after, 1.0), MAX_RETRY_AFTER)
    return wait + min(wait * 0.1, 60.0) * chance


def refused(failures: int, chance: float) -> float:
    """Return the wait after a refusal that may pass: minutes, then hours, at most a day."""
    return _jittered(REFUSED_FIRST, DAY, failures, chance)


def quiet(flaps: float) -> float:
    """Return for how long a network must have been still before it is looked at; `flaps` counts recent changes."""
    return min(QUIET_FIRST * 3.0 ** min(int(flaps + 0.5), 20), QUIET_CAP)


def calmed(flaps: float, seconds: float) -> float:
    """Return what is left of a count of changes after so many seconds."""
    return max(0.0, flaps - max(0.0, seconds) / CALM_SECONDS)


def _jittered(first: float, cap: float, failures: int, chance: float) -> float:
    """Return half of the exponential bound and a part of the other half. `failures` counts from 1."""
    bound = min(first * 2.0 ** min(max(failures, 1) - 1, 40), cap)
    return bound / 2 + bound / 2 * chance
