"""What a stack costs in a month: pure arithmetic over `prices`, each line with how it was reckoned.

A month is 30 days. Queries to DNS ($0.40 a million) are left out: they depend on who asks, not on Homing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from homing.stack import prices

if TYPE_CHECKING:
    from homing.stack.prices import Price

Endpoint = Literal["functionUrl", "httpApi", "restApi"]
Mode = Literal["direct", "stream"]
Protocol = Literal["hash", "dyndns2"]

DAYS = 30
MEMORY_GB = 0.25
POLL_SECONDS = 0.012
CHANGE_SECONDS = {"direct": 0.300, "stream": 0.025}
"""An update that changes something also commits, and in direct mode waits for Route 53."""
PUBLISHER_SECONDS, WINDOW_SECONDS = 0.500, 2
UPKEEP_RUNS, UPKEEP_SECONDS = DAYS * 288 + DAYS, 0.100
"""The backlog is looked at every five minutes, and everything compared once a day."""
ANSWER_BYTES = 500
CHANGE_LOG_BYTES = 600
HOSTS_PER_ZONE = 9_000
"""Below the 10,000 records that a zone holds at no extra price; one A record a host."""
READ_UNITS: dict[Protocol, int] = {"hash": 1, "dyndns2": 3}
"""Consistent reads for a poll: one query of a host's families, or the account and two families with BatchGetItem."""
WRITES_PER_CHANGE = 7
"""The commit and the note that it is published, and the entry that they put into the pending index and take out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What clients do."""

    hosts: int
    poll_minutes: float = 5
    changes_per_day: float = 0.01
    """For each host."""

    @property
    def polls(self) -> float:
        """Requests in a month."""
        return self.hosts * DAYS * 1440 / self.poll_minutes

    @property
    def changes(self) -> float:
        """Of them, those that change an address."""
        return min(self.polls, self.hosts * self.changes_per_day * DAYS)


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the bill."""

    name: str
    dollars: float
    arithmetic: str
    source: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A month's bill."""

    items: tuple[Item, ...]

    @property
    def dollars(self) -> float:
        """The sum."""
        return sum(item.dollars for item in self.items)


def estimate(
    load: Load, endpoint: Endpoint = "functionUrl", mode: Mode = "direct", protocol: Protocol = "hash"
) -> Estimate:
    """Return the bill of Homing's own stack: on demand, arm64 with 256 MB."""
    polls, changes = load.polls, load.changes
    published = min(changes, DAYS * 86_400 / WINDOW_SECONDS) if mode == "stream" else 0.0
    seconds = (polls - changes) * POLL_SECONDS + changes * CHANGE_SECONDS[mode]
    seconds += published * PUBLISHER_SECONDS + UPKEEP_RUNS * UPKEEP_SECONDS
    units = READ_UNITS[protocol]
    items = [
        _item("Lambda requests", prices.REQUEST, polls + published + UPKEEP_RUNS,
              f"{_n(polls)} polls + {_n(published + UPKEEP_RUNS)} of its own"),
        _item("Lambda compute", prices.GB_SECOND_ARM, seconds * MEMORY_GB,
              f"{_n(seconds)} s x {MEMORY_GB} GB, arm64 ({POLL_SECONDS * 1000:g} ms a poll,"
              f" {CHANGE_SECONDS[mode] * 1000:g} ms a change)"),
        _item("DynamoDB reads", prices.READ_UNIT, polls * units + UPKEEP_RUNS,
              f"{_n(polls)} polls x {units} consistent"),
        _item("DynamoDB writes", prices.WRITE_UNIT, changes * WRITES_PER_CHANGE + load.hosts * DAYS,
              f"{_n(changes)} changes x {WRITES_PER_CHANGE} + {_n(load.hosts)} hosts noted on {DAYS} days"),
        *_endpoint_items(endpoint, polls),
        _item("Logs", prices.LOG_GB, changes * CHANGE_LOG_BYTES / 1e9,
              f"{_n(changes)} changes x {CHANGE_LOG_BYTES} B; polls that change nothing are not logged"),
        _item("Data out", prices.EGRESS_GB, polls * ANSWER_BYTES / 1e9, f"{_n(polls)} answers x {ANSWER_BYTES} B"),
        _zones(load.hosts),
    ]  # fmt: skip
    return Estimate(tuple(items))


# --- the design that it replaces

_AWSLABS_SET_SECONDS, _AWSLABS_GET_SECONDS, _AWSLABS_GB, _AWSLABS_LOG_BYTES = 0.250, 0.010, 0.5, 600


def estimate_awslabs(load: Load, calls: Literal[1, 2] = 2) -> Estimate:
    """Return the bill of awslabs v2 for the same clients: a REST API, x86 with 512 MB, a read and a write every poll.

    Its own client makes two calls: it asks for its address first.
    """
    polls, requests = load.polls, load.polls * calls
    seconds = polls * (_AWSLABS_SET_SECONDS + (calls - 1) * _AWSLABS_GET_SECONDS)
    items = [
        _item("Lambda requests", prices.REQUEST, requests, f"{_n(polls)} polls x {calls}"),
        _item("Lambda compute", prices.GB_SECOND_X86, seconds * _AWSLABS_GB, f"{_n(seconds)} s x {_AWSLABS_GB} GB"),
        _item("DynamoDB reads", prices.READ_UNIT, polls * 0.5, f"{_n(polls)} polls x 0.5"),
        _item("DynamoDB writes", prices.WRITE_UNIT, polls, f"{_n(polls)} polls x 1"),
        *_endpoint_items("restApi", requests),
        _item("Logs", prices.LOG_GB, requests * _AWSLABS_LOG_BYTES / 1e9,
              f"{_n(requests)} requests x {_AWSLABS_LOG_BYTES} B"),
        _item("Data out", prices.EGRESS_GB, requests * ANSWER_BYTES / 1e9,
              f"{_n(requests)} answers x {ANSWER_BYTES} B"),
        _item("Hosted zones", prices.ZONE, 1, "1 zone"),
        _item("Records", prices.RECORD, load.hosts, f"{_n(load.hosts)} records in one zone"),
    ]  # fmt: skip
    return Estimate(tuple(items))


def _endpoint_items(endpoint: Endpoint, requests: float) -> list[Item]:
    if endpoint == "functionUrl":
        return [Item("Function URL", 0.0, "no price of its own", prices.REQUEST.source)]
    name, price = ("HTTP API", prices.HTTP_API) if endpoint == "httpApi" else ("REST API", prices.REST_API)
    return [_item(name, price, requests, f"{_n(requests)} requests")]


def _zones(hosts: int) -> Item:
    zones = max(1, math.ceil(hosts / HOSTS_PER_ZONE))
    return _item("Hosted zones", prices.ZONE, zones, f"{_n(hosts)} hosts, {_n(HOSTS_PER_ZONE)} a zone")


def _item(name: str, price: Price, amount: float, how: str) -> Item:
    free = f", {_n(price.free)} free" if price.free else ""
    each = " then ".join(f"${_each(each)}" for _, each in price.tiers)
    return Item(name, price.of(amount), f"{how} = {_n(amount)}{free}, at {each}", price.source)


def _each(dollars: float) -> str:
    return f"{dollars * 1e6:.6g} a million" if dollars < 1e-3 else f"{dollars:.6g}"


def _n(amount: float) -> str:
    """Return an amount as people read it."""
    return f"{amount:,.0f}" if amount >= 100 or amount == int(amount) else f"{amount:,.2f}"
