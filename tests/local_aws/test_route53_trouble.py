"""Rates, a zone that is busy, seeded faults, and requests that a test stops."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from local_aws.route53 import Call, Fault, Faults, Limits, Rate, Route53Fake, Unanswered

from .route53_driver import ManualClock, Zone, boto, rrset


def host(number: int = 0, value: str = "192.0.2.1") -> dict[str, Any]:
    return rrset(f"h{number}.example.com.", value)


def zone_with(**options: Any) -> tuple[Zone, ManualClock]:
    clock = ManualClock()
    return Zone(Route53Fake(clock=clock, sleep=clock.sleep, **({"limits": Limits.none()} | options))), clock


def taken(zone: Zone, tries: int, changes: int = 1) -> int:
    """How many of so many batches at once are not throttled."""
    count = 0
    for _ in range(tries):
        try:
            zone.change(*(("UPSERT", host(number)) for number in range(changes)))
        except ClientError as error:
            response = error.response
            assert (response["Error"]["Code"], response["Error"]["Message"]) == ("Throttling", "Rate exceeded")
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
        else:
            count += 1
    return count


def test_an_account_has_ten_requests_a_second_and_fifty_at_once() -> None:
    zone, clock = zone_with(limits=Limits())
    assert taken(zone, 60) == 50
    clock.now += 0.5
    assert taken(zone, 60) == 5
    clock.now += 1000
    assert taken(zone, 60) == 50


def test_all_operations_share_the_bucket_of_the_account() -> None:
    zone, _ = zone_with(limits=Limits())
    assert taken(zone, 50) == 50
    with pytest.raises(ClientError, match="Rate exceeded"):
        zone.client.list_resource_record_sets(HostedZoneId=zone.id)


def test_an_operation_can_have_a_rate_of_its_own() -> None:
    zone, clock = zone_with(limits=Limits(Rate(100, 100), {"CreateHostedZone": Rate(2, 3)}))
    for number in range(3):
        zone.client.create_hosted_zone(Name="a.example", CallerReference=str(number))
    with pytest.raises(ClientError, match="Rate exceeded"):
        zone.client.create_hosted_zone(Name="a.example", CallerReference="x")
    assert taken(zone, 2) == 2
    clock.now += 0.5
    zone.client.create_hosted_zone(Name="a.example", CallerReference="y")


def test_changes_have_a_rate_of_their_own() -> None:
    zone, clock = zone_with(limits=Limits(None, {}, Rate(100, 200)))
    assert taken(zone, 5, changes=50) == 4
    clock.now += 0.5
    assert taken(zone, 5, changes=50) == 1


def test_a_batch_over_the_burst_passes_at_rest_and_leaves_a_debt() -> None:
    zone, clock = zone_with(limits=Limits(None, {}, Rate(100, 200)))
    assert taken(zone, 2, changes=400) == 1
    clock.now += 1.9
    assert taken(zone, 1) == 0
    clock.now += 0.2
    assert taken(zone, 1) == 1


def test_throttled_requests_change_nothing_and_are_in_the_journal() -> None:
    zone, _ = zone_with(limits=Limits(Rate(1, 1), {}))
    assert taken(zone, 3) == 1
    assert [call.result for call in zone.fake.journal.calls] == ["ok", "Throttling", "Throttling"]
    assert len(zone.fake.journal.history("h0.example.com.", "A")) == 1


def test_a_zone_takes_one_change_at_a_time() -> None:
    zone, clock = zone_with(in_flight_seconds=0.5)
    other = zone.fake.add_zone("example.org")
    zone.change(("CREATE", host(1)))
    code, message = zone.refused(("CREATE", host(2)))
    assert code == "PriorRequestNotComplete"
    assert message == "The request was rejected because Route 53 was still processing a prior request."
    with pytest.raises(ClientError, match="PriorRequestNotComplete"):
        zone.client.delete_hosted_zone(Id=zone.id)
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": rrset("a.example.org", "192.0.2.1")}]}
    zone.client.change_resource_record_sets(HostedZoneId=other, ChangeBatch=batch)
    clock.now += 0.5
    zone.change(("CREATE", host(2)))


def test_a_refused_change_does_not_keep_the_zone_busy() -> None:
    zone, _ = zone_with(in_flight_seconds=0.5)
    zone.refused(("DELETE", host()))
    zone.change(("CREATE", host()))


@pytest.mark.parametrize(
    ("fault", "code", "status", "done"),
    [
        (Fault.THROTTLE, "Throttling", 400, False),
        (Fault.PRIOR_REQUEST, "PriorRequestNotComplete", 400, False),
        (Fault.SERVER_ERROR, "InternalFailure", 500, False),
        (Fault.UNAVAILABLE, "ServiceUnavailable", 503, False),
        (Fault.ERROR_AFTER, "InternalFailure", 500, True),
    ],
)
def test_a_fault_with_an_answer(fault: Fault, code: str, status: int, done: bool) -> None:
    zone, _ = zone_with()
    zone.fake.faults.force(fault)
    with pytest.raises(ClientError) as caught:
        zone.change(("CREATE", host()))
    response = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert bool(zone.values("h0.example.com")) is done
    zone.change(("UPSERT", host()))


@pytest.mark.parametrize(("fault", "done"), [(Fault.RESET, False), (Fault.LOST_ANSWER, True)])
def test_a_fault_without_an_answer(fault: Fault, done: bool) -> None:
    zone, _ = zone_with()
    zone.fake.faults.force(fault)
    with pytest.raises(ReadTimeoutError):
        zone.change(("CREATE", host()))
    assert bool(zone.values("h0.example.com")) is done
    call = zone.fake.journal.calls[-1]
    assert (call.answered, call.result) == (False, "ok" if done else "Unanswered")


def test_a_refusal_can_be_lost_too() -> None:
    zone, clock = zone_with(faults=Faults(silence_seconds=7))
    zone.fake.faults.force(Fault.LOST_ANSWER)
    with pytest.raises(ReadTimeoutError) as caught:
        zone.change(("DELETE", host()))
    gone = caught.value.__cause__
    assert isinstance(gone, Unanswered)
    assert not gone.applied
    assert zone.fake.journal.calls[-1].result == "InvalidChangeBatch"
    assert clock.slept == [7]


def test_a_slow_call_takes_effect_late() -> None:
    zone, clock = zone_with(faults=Faults(slow=1, slow_seconds=3))
    began = clock.now
    zone.change(("CREATE", host()))
    assert zone.fake.journal.entries[-1].time == began + 3
    assert zone.fake.journal.calls[-1].time == began


def results(seed: int, **probabilities: Any) -> list[str]:
    zone, _ = zone_with(faults=Faults(seed=seed, **probabilities))
    for _ in range(400):
        try:
            zone.change(("UPSERT", host()))
        except (ClientError, ReadTimeoutError):
            continue
    return [call.result if call.answered else "lost" for call in zone.fake.journal.calls]


def test_seeded_faults_come_as_often_as_asked_and_the_same_each_time() -> None:
    first = results(1, throttle=0.3, prior_request=0.1, lost_answer=0.05)
    assert first == results(1, throttle=0.3, prior_request=0.1, lost_answer=0.05)
    assert first != results(2, throttle=0.3, prior_request=0.1, lost_answer=0.05)
    assert 80 < first.count("Throttling") < 160
    assert 20 < first.count("PriorRequestNotComplete") < 70
    assert 5 < first.count("lost") < 45


def test_faults_can_be_kept_to_some_operations() -> None:
    zone, _ = zone_with(faults=Faults(throttle=1, operations=frozenset({"ChangeResourceRecordSets"})))
    zone.client.list_resource_record_sets(HostedZoneId=zone.id)
    assert zone.refused(("CREATE", host()))[0] == "Throttling"


def test_forced_faults_wait_for_their_operation() -> None:
    zone, _ = zone_with()
    zone.fake.faults.force(Fault.THROTTLE, Fault.SERVER_ERROR)
    zone.client.list_resource_record_sets(HostedZoneId=zone.id)
    assert zone.refused(("CREATE", host()))[0] == "Throttling"
    assert zone.refused(("CREATE", host()))[0] == "InternalFailure"
    zone.change(("CREATE", host()))


def in_thread(fake: Route53Fake, zone: Zone) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []
    client = boto(fake)
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": host()}]}

    def run() -> None:
        try:
            outcome.append(client.change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch=batch))
        except ReadTimeoutError as error:
            outcome.append(error.__cause__)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_a_request_can_be_stopped_before_it_takes_effect_and_overtaken() -> None:
    zone, _ = zone_with()
    with zone.fake.hold("before") as hold:
        thread, outcome = in_thread(zone.fake, zone)
        call = hold.wait()
        assert [change.record_set.name for change in call.changes] == ["h0.example.com."]
        assert zone.values("h0.example.com") == ()
        zone.change(("CREATE", host(value="192.0.2.99")))
    thread.join(10)
    assert len(outcome) == 1
    states = [state and state.values for state in zone.fake.journal.history("h0.example.com.", "A")]
    assert states == [("192.0.2.99",), ("192.0.2.1",)]


def test_a_request_can_be_stopped_after_it_took_effect() -> None:
    zone, _ = zone_with()
    with zone.fake.hold("after") as hold:
        thread, outcome = in_thread(zone.fake, zone)
        hold.wait()
        assert zone.values("h0.example.com") == ("192.0.2.1",)
        assert outcome == []
    thread.join(10)
    assert len(outcome) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_held_request_can_end_without_an_answer(moment: Any) -> None:
    zone, _ = zone_with()
    with zone.fake.hold(moment, zone_id=zone.id) as hold:
        thread, outcome = in_thread(zone.fake, zone)
        hold.wait()
        hold.drop()
    thread.join(10)
    assert isinstance(outcome[0], Unanswered)
    assert outcome[0].applied is (moment == "after")
    assert bool(zone.values("h0.example.com")) is (moment == "after")


def test_a_hold_waits_for_its_operation_and_zone() -> None:
    zone, _ = zone_with()
    with zone.fake.hold("before", zone_id="Z0") as elsewhere, zone.fake.hold("before", operation="GetChange") as other:
        zone.change(("CREATE", host()))
        assert elsewhere.call is other.call is None
        with pytest.raises(TimeoutError):
            elsewhere.wait(0.01)


def test_listeners_hear_of_both_moments_and_may_cut_in() -> None:
    zone, _ = zone_with()
    heard: list[tuple[str, str]] = []

    def listen(moment: str, call: Call) -> None:
        heard.append((moment, call.operation))
        if len(heard) == 3:
            raise Unanswered(applied=False)

    zone.fake.holds.listeners.append(listen)
    zone.change(("CREATE", host()))
    with pytest.raises(ReadTimeoutError):
        zone.change(("UPSERT", host()))
    assert heard == [("before", "ChangeResourceRecordSets"), ("after", "ChangeResourceRecordSets"), *heard[2:]]
    assert len(zone.fake.journal.history("h0.example.com.", "A")) == 1
