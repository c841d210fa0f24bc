"""How long a function may take: it answers before Lambda ends it, since nobody hears of what it did after that."""

from __future__ import annotations

import time


def finish_by(context: object, longest: float, spare: float) -> float:
    """Return when all calls have to be over, in seconds since 1970.

    `longest` is for them all, in seconds; `spare` is what is left before Lambda ends the function, to say how far it
    came.
    """
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    left = remaining() / 1000 - spare if callable(remaining) else longest
    return time.time() + max(1.0, min(longest, left))
