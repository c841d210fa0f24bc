"""Counting connections, and the limit of a body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.addresses import parse_address
from homing.runtimes.http_limits import ConnectionCount, HttpLimits


@pytest.mark.parametrize(
    ("path", "signed"),
    [
        ("/v1/update", True),
        ("/prod/v1/update", True),
        ("/v1", False),
        ("/v1x/update", False),
        ("/", False),
        ("/a/b/v1/update", False),
        ("//v1/update", True),
        ("v1/", False),
    ],
)
def test_only_signed_paths_take_a_long_body(path: str, signed: bool) -> None:
    limits = HttpLimits()
    assert limits.body_limit(path) == (limits.signed_body_bytes if signed else limits.body_bytes)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:ff::1", "2001:db8:0:1::2", True),
        ("2001:db8:0:100::1", "2001:db8:0:1::2", False),
        ("::c000:201", "192.0.2.1", False),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_56(one: str, other: str, same: bool) -> None:
    count = ConnectionCount(HttpLimits(connections_per_source=1))
    assert count.admit(parse_address(one))
    assert count.admit(parse_address(other)) is not same


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=200))
def test_the_count_is_never_over_a_limit_and_ends_at_zero(steps: list[tuple[bool, int]]) -> None:
    limits = HttpLimits(connections=8, connections_per_source=3)
    count = ConnectionCount(limits)
    addresses = [parse_address(f"192.0.2.{number}") for number in range(6)]
    open_ones = [0] * 6
    for arrives, number in steps:
        if arrives:
            admitted = count.admit(addresses[number])
            assert admitted == (open_ones[number] < 3 and sum(open_ones) < 8)
            open_ones[number] += admitted
        elif open_ones[number]:
            count.release(addresses[number])
            open_ones[number] -= 1
        assert count.total == sum(open_ones)
