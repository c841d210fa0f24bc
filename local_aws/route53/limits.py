"""Token buckets for requests and for changes (Developer Guide, "Throttling for Amazon Route 53 API requests").

An account has one bucket for all requests, one for each operation, and one for record changes. What is over a limit is
answered with HTTP 400, Throttling, "Rate exceeded".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from local_aws.route53.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once after a rest."""

    per_second: float
    burst: float


OPERATION_RATES: Mapping[str, Rate] = MappingProxyType(
    {"CreateHostedZone": Rate(2, 40), "DeleteHostedZone": Rate(5, 40)}
)
"""Those that the page lists with rates of their own; every other operation has the default."""


@dataclass(slots=True)
class Bucket:
    """Tokens that come back with time."""

    rate: Rate
    tokens: float = field(init=False)
    filled_at: float | None = None

    def __post_init__(self) -> None:
        self.tokens = self.rate.burst

    def refill(self, now: float) -> None:
        """Add what has come since the last time, up to the burst."""
        passed = 0.0 if self.filled_at is None else max(0.0, now - self.filled_at)
        self.tokens = min(self.rate.burst, self.tokens + passed * self.rate.per_second)
        self.filled_at = now


class Limits:
    """The buckets of one account. None for a rate is no limit."""

    def __init__(
        self,
        requests: Rate | None = Rate(10, 50),
        operations: Mapping[str, Rate] = OPERATION_RATES,
        changes: Rate | None = None,
    ) -> None:
        self.requests = requests
        self.operations = operations
        self.changes = changes
        self._buckets: dict[str, Bucket] = {}

    @classmethod
    def none(cls) -> Limits:
        """No limit at all."""
        return cls(None, {}, None)

    def take_request(self, operation: str, now: float) -> None:
        """Take a token from both buckets, or from neither; raises ApiError Throttling."""
        rates = {"": self.requests, operation: self.operations.get(operation, self.requests)}
        buckets = [self._bucket(name, rate, now) for name, rate in rates.items() if rate]
        if any(bucket.tokens < 1 for bucket in buckets):
            raise throttling()
        for bucket in buckets:
            bucket.tokens -= 1

    def take_changes(self, count: int, now: float) -> None:
        """Take a token for each change; raises ApiError Throttling.

        A batch larger than the burst passes when the bucket is full, and leaves it in debt.
        """
        if self.changes is None:
            return
        bucket = self._bucket("changes", self.changes, now)
        if bucket.tokens < min(count, self.changes.burst):
            raise throttling()
        bucket.tokens -= count

    def _bucket(self, name: str, rate: Rate, now: float) -> Bucket:
        bucket = self._buckets.setdefault(name, Bucket(rate))
        bucket.refill(now)
        return bucket


def throttling() -> ApiError:
    """The answer to a request over a limit."""
    return ApiError("Throttling", "Rate exceeded")
