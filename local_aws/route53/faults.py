"""Seeded faults, and places where a test stops a request before or after it takes effect.

Each call draws once. The draw is a function of the seed and of how many calls were drawn before, so that a run that
makes the same calls in the same order meets the same faults. Knows nothing of zones.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Literal

from local_aws.route53.errors import ApiError, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.route53.records import Change

Moment = Literal["before", "after"]


class Fault(Enum):
    """What may go wrong with a call; the value is the name of its probability in Faults."""

    THROTTLE = "throttle"
    """HTTP 400 Throttling, nothing done."""
    PRIOR_REQUEST = "prior_request"
    """HTTP 400 PriorRequestNotComplete, nothing done; for ChangeResourceRecordSets only."""
    SERVER_ERROR = "server_error"
    """HTTP 500, nothing done."""
    UNAVAILABLE = "unavailable"
    """HTTP 503, nothing done."""
    RESET = "reset"
    """The connection ends, nothing done."""
    SLOW = "slow"
    """Done only after `slow_seconds`, and answered then: whoever waits less is overtaken by his own request."""
    LOST_ANSWER = "lost_answer"
    """Done, or refused; the connection ends after `silence_seconds` without an answer."""
    ERROR_AFTER = "error_after"
    """Done; the answer is HTTP 500 all the same."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that has been read: what faults and holds can choose by."""

    operation: str
    zone_id: str | None = None
    changes: tuple[Change, ...] = ()


@dataclass
class Faults:
    """Probabilities, each from 0 to 1 and together at most 1. `operations` None is all of them."""

    seed: int = 0
    throttle: float = 0.0
    prior_request: float = 0.0
    server_error: float = 0.0
    unavailable: float = 0.0
    reset: float = 0.0
    slow: float = 0.0
    lost_answer: float = 0.0
    error_after: float = 0.0
    slow_seconds: float = 1.0
    silence_seconds: float = 0.0
    operations: frozenset[str] | None = None
    _forced: deque[tuple[Fault, str | None]] = field(default_factory=deque, init=False, repr=False)
    _random: Random = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def force(self, *faults: Fault, operation: str | None = "ChangeResourceRecordSets") -> None:
        """Meet these faults, one with each of the next calls of the operation (None: any), before any drawing."""
        with self._lock:
            self._forced.extend((fault, operation) for fault in faults)

    def draw(self, operation: str) -> Fault | None:
        """The fault of this call."""
        with self._lock:
            if self._forced and self._forced[0][1] in {None, operation}:
                return self._forced.popleft()[0]
            point = self._random.random()
        if self.operations is not None and operation not in self.operations:
            return None
        fault = self._at(point)
        return None if fault is Fault.PRIOR_REQUEST and operation != "ChangeResourceRecordSets" else fault

    def _at(self, point: float) -> Fault | None:
        for fault in Fault:
            point -= float(getattr(self, fault.value))
            if point < 0:
                return fault
        return None


def strike_before(fault: Fault | None) -> None:
    """End a call that nothing shall be done for."""
    if fault is Fault.RESET:
        raise Unanswered(applied=False)
    if fault in _REFUSALS:
        refusal = _REFUSALS[fault]
        raise ApiError(refusal.code, *refusal.messages, status=refusal.status)


def prior_request_not_complete() -> ApiError:
    """The answer to a change of a zone while another one is being worked on."""
    text = "The request was rejected because Route 53 was still processing a prior request."
    return ApiError("PriorRequestNotComplete", text)


def internal_failure() -> ApiError:
    """The answer when the service itself fails."""
    text = "We encountered an internal error. Please try again."
    return ApiError("InternalFailure", text, status=500)


_REFUSALS: dict[Fault | None, ApiError] = {
    Fault.THROTTLE: ApiError("Throttling", "Rate exceeded"),
    Fault.PRIOR_REQUEST: prior_request_not_complete(),
    Fault.SERVER_ERROR: internal_failure(),
    Fault.UNAVAILABLE: ApiError("ServiceUnavailable", "Service is unavailable.", status=503),
}


class Hold:
    """One stop, for the next call that fits. A context manager: leaving it releases."""

    def __init__(self, moment: Moment, operation: str | None, zone_id: str | None) -> None:
        self.call: Call | None = None
        self._fits = (moment, operation, zone_id)
        self._reached = threading.Event()
        self._released = threading.Event()
        self._dropped = False

    def wait(self, seconds: float = 10.0) -> Call:
        """Until a call is stopped here; raises TimeoutError."""
        if not self._reached.wait(seconds) or self.call is None:
            raise TimeoutError("no call came to the hold")
        return self.call

    def release(self) -> None:
        """Let the call go on."""
        self._released.set()

    def drop(self) -> None:
        """Let the call end without an answer: before it takes effect, or after, as the hold is."""
        self._dropped = True
        self._released.set()

    def takes(self, moment: Moment, call: Call) -> bool:
        """Whether the call is the one to stop; yes once only."""
        wanted, operation, zone_id = self._fits
        fits = wanted == moment and operation in {None, call.operation} and zone_id in {None, call.zone_id}
        if self.call is not None or not fits:
            return False
        self.call = call
        return True

    def stop(self, moment: Moment) -> None:
        """Wait here, in the thread of the call."""
        self._reached.set()
        self._released.wait()
        if self._dropped:
            raise Unanswered(applied=moment == "after")

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


class Holds:
    """All holds, and plain functions that are told of every call at both moments and may block or raise Unanswered."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Moment, Call], object]] = []
        self._holds: list[Hold] = []
        self._lock = threading.Lock()

    def add(self, moment: Moment, operation: str | None, zone_id: str | None) -> Hold:
        """A stop for the next call that fits."""
        hold = Hold(moment, operation, zone_id)
        with self._lock:
            self._holds.append(hold)
        return hold

    def reached(self, moment: Moment, call: Call) -> None:
        """Tell the listeners, and stop where a hold says so."""
        for listener in tuple(self.listeners):
            listener(moment, call)
        with self._lock:
            hold = next((hold for hold in self._holds if hold.takes(moment, call)), None)
        if hold is not None:
            hold.stop(moment)

    def release_all(self) -> None:
        """Let go of what waits now; for the end of a test."""
        with self._lock:
            for hold in self._holds:
                hold.release()
