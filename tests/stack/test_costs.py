"""The cost model gives what was reckoned by hand from the prices, and keeps under what is promised."""

from __future__ import annotations

import pytest

from homing.stack import prices
from homing.stack.costs import Estimate, Load, estimate, estimate_awslabs


def dollars(found: Estimate, name: str) -> float:
    (item,) = (item for item in found.items if item.name == name)
    return item.dollars


def test_ten_thousand_hosts_cost_what_was_reckoned_by_hand() -> None:
    found = estimate(Load(hosts=10_000))  # 86.4 million polls, 3,000 changes
    assert dollars(found, "Lambda requests") == pytest.approx((86_400_000 + 8_670 - 1_000_000) * 0.2e-6)
    assert dollars(found, "Lambda compute") == 0  # 259,633 GB-s of 400,000 that are free
    assert dollars(found, "DynamoDB reads") == pytest.approx((86_400_000 + 8_670) * 0.125e-6)
    assert dollars(found, "DynamoDB writes") == pytest.approx((3_000 * 7 + 10_000 * 30) * 0.625e-6)
    assert dollars(found, "Function URL") == 0
    assert dollars(found, "Data out") == 0  # 43.2 GB of 100
    assert dollars(found, "Hosted zones") == 1.0
    assert found.dollars == pytest.approx(29.08, abs=0.01)


def test_a_million_hosts_cost_what_was_reckoned_by_hand() -> None:
    found = estimate(Load(hosts=1_000_000))  # 8,640 million polls, 300,000 changes
    assert dollars(found, "Lambda requests") == pytest.approx(1_727.80, abs=0.01)
    seconds = (8_640_000_000 - 300_000) * 0.012 + 300_000 * 0.3 + 867
    assert dollars(found, "Lambda compute") == pytest.approx((seconds / 4 - 400_000) * 0.0000133334)
    assert dollars(found, "DynamoDB reads") == pytest.approx(1_080.0, abs=0.01)
    assert dollars(found, "Data out") == pytest.approx((4_320 - 100) * 0.09)
    assert dollars(found, "Hosted zones") == pytest.approx(25 * 0.5 + 87 * 0.1)  # 112 zones
    assert found.dollars == pytest.approx(3569.42, abs=0.01)


@pytest.mark.parametrize(("hosts", "most"), [(10_000, 35), (1_000_000, 4_000)])
@pytest.mark.parametrize("mode", ["direct", "stream"])
def test_a_function_url_stays_under_what_is_promised(hosts: int, most: float, mode: str) -> None:
    assert estimate(Load(hosts=hosts), mode=mode).dollars < most  # type: ignore[arg-type]  # of parametrize


@pytest.mark.parametrize(
    ("hosts", "calls", "expected"),
    [(1, 2, 0.57), (1, 1, 0.54), (100, 2, 7.29), (100, 1, 4.12), (10_000, 2, 929), (10_000, 1, 576),
     (1_000_000, 2, 77_400), (1_000_000, 1, 51_600)],
)  # fmt: skip
def test_the_awslabs_design_costs_what_its_own_arithmetic_gives(hosts: int, calls: int, expected: float) -> None:
    found = estimate_awslabs(Load(hosts=hosts), calls)  # type: ignore[arg-type]  # of parametrize
    assert found.dollars == pytest.approx(expected, rel=0.01)


def test_api_gateway_is_paid_for_in_tiers() -> None:
    load = Load(hosts=1_000_000)
    plain = estimate(load).dollars
    http = estimate(load, "httpApi").dollars - plain
    assert http == pytest.approx(300 * 1.00 + 8_340 * 0.90)
    rest = estimate(load, "restApi").dollars - plain
    assert rest == pytest.approx(333 * 3.50 + 667 * 2.80 + 7_640 * 2.38)


def test_an_account_takes_three_reads_a_poll() -> None:
    load = Load(hosts=10_000)
    more = estimate(load, protocol="dyndns2").dollars - estimate(load).dollars
    assert more == pytest.approx(86_400_000 * 2 * 0.125e-6)


def test_half_as_many_polls_make_half_as_many_requests() -> None:
    assert Load(hosts=7, poll_minutes=10).polls * 2 == Load(hosts=7).polls == 7 * 8_640


def test_nobody_changes_more_often_than_he_polls() -> None:
    load = Load(hosts=1, poll_minutes=1440, changes_per_day=100)
    assert load.changes == load.polls == 30


def test_a_price_counts_its_free_amount_and_tiers() -> None:
    price = prices.Price(((10, 2.0), (float("inf"), 1.0)), 5, "nowhere")
    assert [price.of(amount) for amount in (0, 5, 6, 15, 20)] == [0, 0, 2, 20, 25]


def test_each_line_shows_its_arithmetic_and_where_its_price_stands() -> None:
    (requests, *rest) = estimate(Load(hosts=10_000)).items
    assert requests.arithmetic == (
        "86,400,000 polls + 8,670 of its own = 86,408,670, 1,000,000 free, at $0.2 a million"
    )
    assert all(item.source.startswith("aws.amazon.com/") for item in (requests, *rest))
