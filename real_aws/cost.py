"""What a run costs: pure arithmetic over list prices, no free tier taken off, so that it is never more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.stack import prices
from homing.stack.costs import MEMORY_GB

if TYPE_CHECKING:
    from homing.stack.prices import Price

ZONE_FREE_HOURS = 12
"""A hosted zone that is deleted within these costs nothing (aws.amazon.com/route53/pricing)."""
_HOURS_A_MONTH = 730
_WATCHING_A_MONTH = 8 * 0.10 + 10 * 0.30 + 3.00
"""Eight alarms, ten metrics and a dashboard, each counted by the hour (aws.amazon.com/cloudwatch/pricing)."""
_CLOUDFRONT_REQUEST = 1.00e-6
"""HTTPS, North America and Europe (aws.amazon.com/cloudfront/pricing)."""
_CALLS_A_REQUEST = 4
"""DynamoDB units, read and written, that a request may take: a change takes that many of each."""
_SECONDS_A_REQUEST = 0.5
_STORED_GB, _LOGGED_GB = 0.001, 0.002


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run did, or is expected to do."""

    requests: int
    """To the endpoint, or to a function by its name."""
    hours: float
    has_cloudfront: bool = False


def expected(*, with_cloudfront: bool) -> Usage:
    """Return what a run of all steps comes to."""
    return Usage(requests=600, hours=0.8 if with_cloudfront else 0.5, has_cloudfront=with_cloudfront)


def lines(usage: Usage) -> list[tuple[str, float]]:
    """Return each item and what it costs, in US dollars."""
    units = usage.requests * _CALLS_A_REQUEST
    found = [
        (f"Lambda, {usage.requests} requests", _list(prices.REQUEST, usage.requests)),
        ("Lambda compute", _list(prices.GB_SECOND_ARM, usage.requests * _SECONDS_A_REQUEST * MEMORY_GB)),
        (f"DynamoDB, {units} reads and writes", _list(prices.READ_UNIT, units) + _list(prices.WRITE_UNIT, units)),
        ("API Gateway, counting each request as a REST one", _list(prices.REST_API, usage.requests)),
        ("logs", _list(prices.LOG_GB, _LOGGED_GB)),
        ("data out", _list(prices.EGRESS_GB, _STORED_GB)),
        (f"alarms, metrics, dashboard for {usage.hours:.1f} h", _WATCHING_A_MONTH / _HOURS_A_MONTH * usage.hours),
    ]
    if usage.has_cloudfront:
        found.append(("CloudFront", usage.requests * _CLOUDFRONT_REQUEST))
    is_charged = usage.hours >= ZONE_FREE_HOURS
    found.append(("hosted zone, free within 12 hours", _list(prices.ZONE, 1) if is_charged else 0.0))
    return found


def dollars(usage: Usage) -> float:
    """Return the sum."""
    return sum(cost for _, cost in lines(usage))


def _list(price: Price, amount: float) -> float:
    """At the first tier's price, nothing free."""
    return price.tiers[0][1] * amount
