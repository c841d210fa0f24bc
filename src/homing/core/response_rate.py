"""Response rate limiting: a flood of questions with forged sources must not become a flood of answers to the victim.

A pure state machine over the time it is given. Responses that are alike and go to one network share a token bucket;
of those beyond it every `slip`-th goes out cut short, which costs the victim no more than the question did and makes a
real resolver ask over TCP, and the others go nowhere. The idea and the word are BIND's and Knot DNS's.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network

from homing.core.values import frozen

Network = IPv4Network | IPv6Network

_IPV4_PREFIX, _IPV6_PREFIX = 3, 7
"""Octets of an address that name one network: /24 and /56."""


class Verdict(Enum):
    """What to do with a response."""

    SEND = "send"
    TRUNCATE = "truncate"
    DROP = "drop"


@frozen
class RatePolicy:
    """What one network may be sent over UDP.

    `responses_per_second`: of one kind (the same owner name; non-existence in one zone; errors); 0 switches limiting
    off. `all_per_second`: of every kind together. `slip`: every so-many-th limited response is cut short instead of
    dropped; 0 drops them all. `exempt`: never limited. `table_size`: how many (network, kind) pairs are remembered.
    """

    responses_per_second: int = 20
    all_per_second: int = 1000
    slip: int = 2
    exempt: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    table_size: int = 65536


class ResponseRate:
    """Counts responses and tells which to send. `now` is in seconds on any clock that does not go back."""

    def __init__(self, policy: RatePolicy) -> None:
        self._policy = policy
        self._buckets: dict[tuple[bytes, str], _Bucket] = {}
        self._exempt = tuple(
            (net.max_prefixlen // 8, int(net.netmask), int(net.network_address)) for net in policy.exempt
        )

    def __len__(self) -> int:
        return len(self._buckets)

    def judge(self, client: bytes, kind: str, now: float) -> Verdict:
        """Count one response to `client`, an address of 4 or 16 octets, and tell what to do with it."""
        policy = self._policy
        if policy.responses_per_second == 0 or self._is_exempt(client):
            return Verdict.SEND
        prefix = client[: _IPV4_PREFIX if len(client) == 4 else _IPV6_PREFIX]
        bucket = self._bucket((prefix, kind), policy.responses_per_second, now)
        if not bucket.take(policy.responses_per_second, now):
            return bucket.slip(policy.slip)
        total = self._bucket((prefix, ""), policy.all_per_second, now)
        return Verdict.SEND if total.take(policy.all_per_second, now) else total.slip(policy.slip)

    def _is_exempt(self, client: bytes) -> bool:
        address = int.from_bytes(client, "big")
        return any(len(client) == size and address & mask == network for size, mask, network in self._exempt)

    def _bucket(self, key: tuple[bytes, str], rate: int, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._policy.table_size:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[key] = _Bucket(rate, now)
        return bucket


class _Bucket:
    """Holds up to one second's worth of responses, and fills at that rate."""

    __slots__ = ("_limited", "_then", "_tokens")

    def __init__(self, rate: int, now: float) -> None:
        self._tokens = float(rate)
        self._then = now
        self._limited = 0

    def take(self, rate: int, now: float) -> bool:
        self._tokens = min(float(rate), self._tokens + (now - self._then) * rate)
        self._then = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def slip(self, every: int) -> Verdict:
        self._limited += 1
        return Verdict.TRUNCATE if every and self._limited % every == 0 else Verdict.DROP
