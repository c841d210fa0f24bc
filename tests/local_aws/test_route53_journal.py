"""What the fake remembers: every state of DNS, and every call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from local_aws.route53 import Limits, Route53Fake

from .route53_driver import ManualClock, Zone, rrset


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def zone(clock: ManualClock) -> Zone:
    return Zone(Route53Fake(clock=clock, limits=Limits.none()))


OLD, NEW = (rrset("h.example.com.", value) for value in ("192.0.2.1", "192.0.2.2"))


def test_every_state_is_there_in_order_and_they_replay_to_the_present(zone: Zone, clock: ManualClock) -> None:
    zone.change(("CREATE", OLD))
    clock.now += 1
    info = zone.change(("DELETE", OLD), ("CREATE", NEW))["ChangeInfo"]
    zone.change(("DELETE", NEW))
    states = [state and state.values for state in zone.fake.journal.history("h.example.com.", "A")]
    assert states == [("192.0.2.1",), ("192.0.2.2",), None]
    swap = zone.fake.journal.entries[-2]
    assert (swap.time, f"/change/{swap.change_id}", swap.zone_id) == (clock.now, info["Id"], zone.id)
    assert swap.before is not None
    assert swap.before.values == ("192.0.2.1",)
    assert len(zone.fake.journal.replayed()) == len(zone.fake.record_sets(zone.id)) == 2


def test_a_history_can_be_that_of_one_zone(zone: Zone) -> None:
    twin = Zone(zone.fake)
    zone.change(("CREATE", OLD))
    twin.change(("CREATE", NEW))
    both = zone.fake.journal.history("h.example.com.", "A")
    assert [state and state.values for state in both] == [("192.0.2.1",), ("192.0.2.2",)]
    assert zone.fake.journal.history("h.example.com.", "A", twin.id) == both[1:]


def test_a_state_that_does_not_follow_is_found_when_replaying(zone: Zone) -> None:
    zone.change(("CREATE", OLD))
    entries = zone.fake.journal.entries
    entries.append(replace(entries[-1], before=None))
    with pytest.raises(AssertionError):
        zone.fake.journal.replayed()


def test_calls_are_counted_within_a_span(zone: Zone, clock: ManualClock) -> None:
    for wait in (0, 0.5, 0.5, 0.5, 5):
        clock.now += wait
        zone.client.get_hosted_zone(Id=zone.id)
    zone.change(("CREATE", OLD))
    journal = zone.fake.journal
    assert journal.most_calls_within(1.25) == 3
    assert journal.most_calls_within(1.0) == 2
    assert journal.most_calls_within(60, "ChangeResourceRecordSets") == 1
    assert journal.most_calls_within(60, "GetChange") == 0
    assert len(journal.calls_of("GetHostedZone", "ok")) == 5
    assert journal.calls[-1].changes == 1


def test_refused_calls_are_there_with_their_reason(zone: Zone) -> None:
    zone.refused(("DELETE", OLD))
    zone.fake.handle("GET", "/2013-04-01/hostedzone", {})
    last = [(call.operation, call.zone_id, call.result) for call in zone.fake.journal.calls]
    refused = ("ChangeResourceRecordSets", zone.id, "InvalidChangeBatch")
    assert last == [refused, ("?", None, "MissingAuthenticationToken")]


def test_what_a_test_does_itself_is_no_call(zone: Zone) -> None:
    zone.fake.record_sets(zone.id)
    zone.fake.zones()
    assert zone.fake.journal.calls == []
