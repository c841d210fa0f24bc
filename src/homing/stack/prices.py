"""List prices of AWS that the cost model rests on: us-east-1, US dollars, as read on 2026-11-21. Free tiers included.

A price that AWS changes is changed here; nothing is fetched. Each has the page that it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

AS_OF = "2026-11-21"
REGION = "us-east-1"

Tiers: TypeAlias = "tuple[tuple[float, float], ...]"
"""Amounts and the price of one unit within each; the last amount is infinite."""
_REST = float("inf")


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit costs, what is free each month, and where that stands."""

    tiers: Tiers
    free: float
    source: str

    def of(self, amount: float) -> float:
        """Return what an amount costs in a month, in dollars."""
        left, cost = max(0.0, amount - self.free), 0.0
        for size, each in self.tiers:
            taken = min(left, size)
            cost += taken * each
            left -= taken
        return cost


def _flat(each: float, free: float, source: str) -> Price:
    return Price(((_REST, each),), free, source)


_LAMBDA = "aws.amazon.com/lambda/pricing"
_DYNAMODB = "aws.amazon.com/dynamodb/pricing/on-demand"
_GATEWAY = "aws.amazon.com/api-gateway/pricing"
_ROUTE_53 = "aws.amazon.com/route53/pricing"

REQUEST = _flat(0.20e-6, 1e6, _LAMBDA)
GB_SECOND_ARM = _flat(0.0000133334, 400_000, _LAMBDA)
GB_SECOND_X86 = _flat(0.0000166667, 400_000, _LAMBDA)
READ_UNIT = _flat(0.125e-6, 0, _DYNAMODB)
"""One consistent read of up to 4 KB; an eventually consistent one is half of it."""
WRITE_UNIT = _flat(0.625e-6, 0, _DYNAMODB)
"""One write of up to 1 KB, to the table or to an index."""
HTTP_API = Price(((300e6, 1.00e-6), (_REST, 0.90e-6)), 0, _GATEWAY)
REST_API = Price(((333e6, 3.50e-6), (667e6, 2.80e-6), (19e9, 2.38e-6), (_REST, 1.51e-6)), 0, _GATEWAY)
"""The free million a month ends after a year, so that neither has it here."""
ZONE = Price(((25, 0.50), (_REST, 0.10)), 0, _ROUTE_53)
RECORD = _flat(0.0015, 10_000, _ROUTE_53)
"""A record beyond the 10,000 of a zone."""
EGRESS_GB = _flat(0.09, 100, "aws.amazon.com/ec2/pricing/on-demand")
LOG_GB = _flat(0.50, 5, "aws.amazon.com/cloudwatch/pricing")
