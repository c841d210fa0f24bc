"""The DNS view answers what Route 53 holds at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_aws.dns_view import DnsView
from local_aws.route53 import Alias, RecordSet, Route53Fake

from tests.e2e.programs import need, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fake() -> Route53Fake:
    made = Route53Fake()
    made.add_zone("home.test.", zone_id="ZHOME")
    return made


@pytest.fixture
def view(fake: Route53Fake) -> Iterator[DnsView]:
    opened = DnsView(fake.journal)
    yield opened
    opened.close()


def put(fake: Route53Fake, name: str, *values: str, record_type: str = "A") -> None:
    fake.seed("ZHOME", RecordSet(name, record_type, 60, values))


def test_each_change_is_answered_at_once_although_answers_are_kept(fake: Route53Fake, view: DnsView) -> None:
    assert view.ask("a.home.test.") == []
    for last in range(1, 20):
        put(fake, "a.home.test.", f"192.0.2.{last}")
        assert view.ask("a.home.test.") == [f"192.0.2.{last}"]
        assert view.ask("a.home.test.") == [f"192.0.2.{last}"]


def test_zones_made_later_are_answered_and_the_deepest_one_counts(fake: Route53Fake, view: DnsView) -> None:
    put(fake, "a.home.test.", "192.0.2.1")
    assert view.ask("a.home.test.") == ["192.0.2.1"]
    deeper = fake.add_zone("lan.home.test.")
    fake.seed(deeper, RecordSet("a.lan.home.test.", "AAAA", 60, ("2001:db8::1",)))
    assert view.ask("a.lan.home.test.", "AAAA") == ["2001:db8::1"]
    assert len(view.ask("lan.home.test.", "NS")) == 4


def test_what_a_dynamic_zone_cannot_own_is_left_out(fake: Route53Fake, view: DnsView) -> None:
    put(fake, "c.home.test.", "a.home.test.", record_type="CNAME")
    fake.seed("ZHOME", RecordSet("d.home.test.", "A", alias=Alias("Z2", "elsewhere.test.")))
    fake.seed(
        "ZHOME", RecordSet("w.home.test.", "A", 60, ("192.0.2.1",), set_identifier="x", routing=(("Weight", "1"),))
    )
    assert [view.ask(f"{label}.home.test.") for label in "cdw"] == [[], [], []]


def test_dig_asks_over_udp_and_tcp(fake: Route53Fake, view: DnsView, tmp_path: Path) -> None:
    need("dig")
    put(fake, "a.home.test.", "192.0.2.1", "192.0.2.2")
    for transport in ("+notcp", "+tcp"):
        told = run(["dig", "@127.0.0.1", "-p", str(view.port), "a.home.test", "+short", transport], tmp_path).stdout
        assert sorted(told.split()) == ["192.0.2.1", "192.0.2.2"]
