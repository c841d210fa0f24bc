"""Response rate limiting, with a clock of our own."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.response_rate import RatePolicy, ResponseRate, Verdict

VICTIM = ip_address("203.0.113.7").packed


def flood(
    rate: ResponseRate, client: bytes, per_second: int, seconds: int, *, kinds: int = 1, start: float = 0
) -> Counter[Verdict]:
    return Counter(rate.judge(client, f"kind {i % kinds}", start + i / per_second) for i in range(per_second * seconds))


def test_below_the_rate_everything_is_sent() -> None:
    assert flood(ResponseRate(RatePolicy()), VICTIM, 20, 10) == {Verdict.SEND: 200}


def test_a_flood_gets_its_rate_and_half_of_the_rest_is_cut_short() -> None:
    seen = flood(ResponseRate(RatePolicy()), VICTIM, 1700, 10)
    assert 200 <= seen[Verdict.SEND] <= 220 + 1
    assert abs(seen[Verdict.TRUNCATE] - seen[Verdict.DROP]) <= 1


@pytest.mark.parametrize(("slip", "cut"), [(0, 0), (1, 1.0), (2, 0.5), (5, 0.2)])
def test_slip_says_how_many_of_the_limited_are_cut_short(slip: int, cut: float) -> None:
    seen = flood(ResponseRate(RatePolicy(slip=slip)), VICTIM, 1000, 10)
    limited = seen[Verdict.TRUNCATE] + seen[Verdict.DROP]
    assert seen[Verdict.TRUNCATE] == pytest.approx(limited * cut, abs=1)


def test_bytes_out_stay_below_what_came_in() -> None:
    """Questions of 40 octets, answers of 600, 1,700 a second: without a limit, 15 times as much goes out as came in."""
    seen = flood(ResponseRate(RatePolicy()), VICTIM, 1700, 60)
    out = seen[Verdict.SEND] * 600 + seen[Verdict.TRUNCATE] * 40
    assert out / (1700 * 60 * 40) <= 0.85


@pytest.mark.parametrize(
    ("other", "shared"),
    [("203.0.113.250", True), ("203.0.114.7", False), ("2001:db8:0:7f::1", True), ("2001:db8:0:100::1", False)],
)
def test_a_network_shares_one_allowance(other: str, *, shared: bool) -> None:
    rate = ResponseRate(RatePolicy())
    flood(rate, VICTIM if "." in other else ip_address("2001:db8::1").packed, 1000, 1)
    assert (rate.judge(ip_address(other).packed, "kind 0", 1.0) is not Verdict.SEND) == shared


def test_one_kind_of_response_does_not_use_up_another() -> None:
    rate = ResponseRate(RatePolicy())
    flood(rate, VICTIM, 500, 1)
    assert rate.judge(VICTIM, "another kind", 1.0) is Verdict.SEND


def test_many_kinds_together_have_a_limit_too() -> None:
    seen = flood(ResponseRate(RatePolicy(all_per_second=100)), VICTIM, 1000, 10, kinds=500)
    assert seen[Verdict.SEND] <= 100 * 11 + 1


def test_silence_restores_the_allowance_and_no_more() -> None:
    rate = ResponseRate(RatePolicy())
    flood(rate, VICTIM, 1000, 1)
    assert 20 <= flood(rate, VICTIM, 1000, 1, start=5)[Verdict.SEND] <= 41


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_exempt(client: str) -> None:
    assert flood(ResponseRate(RatePolicy()), ip_address(client).packed, 1000, 1) == {Verdict.SEND: 1000}


def test_an_exempt_network_of_one_family_says_nothing_about_the_other() -> None:
    rate = ResponseRate(RatePolicy(exempt=(ip_network("203.0.113.0/29"),)))
    assert flood(rate, VICTIM, 100, 1) == {Verdict.SEND: 100}
    assert Verdict.DROP in flood(rate, ip_address("203.0.113.8").packed, 100, 1)
    assert Verdict.DROP in flood(rate, bytes(12) + VICTIM, 100, 1)


def test_a_rate_of_zero_is_off() -> None:
    assert flood(ResponseRate(RatePolicy(responses_per_second=0)), VICTIM, 1000, 1) == {Verdict.SEND: 1000}


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.sampled_from("abc")), max_size=200))
def test_the_table_is_bounded(asked: list[tuple[bytes, str]]) -> None:
    rate = ResponseRate(RatePolicy(table_size=10))
    for now, (client, kind) in enumerate(asked):
        rate.judge(client, kind, now / 100)
        assert len(rate) <= 10
