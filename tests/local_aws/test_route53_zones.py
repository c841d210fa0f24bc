"""Hosted zones, listings and their pages, changes and their status, and test answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.route53 import Limits, RecordSet, Route53Fake, Vpc

from .route53_driver import ManualClock, Zone, boto, rrset


@pytest.fixture
def fake() -> Route53Fake:
    return Route53Fake(limits=Limits.none())


@pytest.fixture
def zone(fake: Route53Fake) -> Zone:
    return Zone(fake)


def code_of(call: Any, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_new_zone_has_four_name_servers_and_their_ns_and_soa(fake: Route53Fake) -> None:
    made = boto(fake).create_hosted_zone(
        Name="Example.com", CallerReference="one", HostedZoneConfig={"Comment": "mine", "PrivateZone": False}
    )
    shown = made["HostedZone"]
    assert shown["Name"] == "example.com."
    assert shown["Config"] == {"Comment": "mine", "PrivateZone": False}
    assert shown["ResourceRecordSetCount"] == 2
    assert made["Location"].endswith(shown["Id"])
    servers = made["DelegationSet"]["NameServers"]
    assert len(servers) == 4
    listed = boto(fake).list_resource_record_sets(HostedZoneId=shown["Id"])["ResourceRecordSets"]
    assert [one["Type"] for one in listed] == ["NS", "SOA"]
    assert [one["Value"] for one in listed[0]["ResourceRecords"]] == [f"{server}." for server in servers]
    assert boto(fake).get_hosted_zone(Id=shown["Id"])["HostedZone"] == shown


def test_a_caller_reference_is_used_once(fake: Route53Fake) -> None:
    boto(fake).create_hosted_zone(Name="example.com", CallerReference="one")
    again = boto(fake).create_hosted_zone
    assert code_of(again, Name="example.com", CallerReference="one") == ("HostedZoneAlreadyExists", 409)
    assert again(Name="example.com", CallerReference="two")["HostedZone"]["Name"] == "example.com."


def test_a_zone_needs_a_domain_name(fake: Route53Fake) -> None:
    assert code_of(boto(fake).create_hosted_zone, Name="a..b", CallerReference="1") == ("InvalidDomainName", 400)


def test_a_private_zone_belongs_to_a_vpc(fake: Route53Fake) -> None:
    vpc = {"VPCRegion": "eu-west-1", "VPCId": "vpc-1"}
    made = boto(fake).create_hosted_zone(Name="corp.example", CallerReference="1", VPC=vpc)
    assert made["HostedZone"]["Config"]["PrivateZone"] is True
    assert "DelegationSet" not in made
    assert boto(fake).get_hosted_zone(Id=made["HostedZone"]["Id"])["VPCs"] == [vpc]
    without = {"PrivateZone": True}
    told = code_of(boto(fake).create_hosted_zone, Name="x.example", CallerReference="2", HostedZoneConfig=without)
    assert told == ("InvalidInput", 400)


def test_a_zone_with_other_records_is_not_deleted(zone: Zone) -> None:
    host = rrset("a.example.com", "192.0.2.1")
    zone.change(("CREATE", host))
    assert code_of(zone.client.delete_hosted_zone, Id=zone.id) == ("HostedZoneNotEmpty", 400)
    zone.change(("DELETE", host))
    zone.client.delete_hosted_zone(Id=zone.id)
    assert code_of(zone.client.get_hosted_zone, Id=zone.id) == ("NoSuchHostedZone", 404)
    assert zone.fake.journal.replayed() == {}


def test_nothing_is_done_in_a_zone_that_is_not_there(zone: Zone) -> None:
    zone.id = "Z0"
    assert zone.refused(("CREATE", rrset("a.example.com", "192.0.2.1"))) == (
        "NoSuchHostedZone",
        "No hosted zone found with ID: Z0",
    )
    assert code_of(zone.client.list_resource_record_sets, HostedZoneId="Z0") == ("NoSuchHostedZone", 404)


def test_zones_are_listed_by_id_in_pages(fake: Route53Fake) -> None:
    ids = sorted(fake.add_zone(f"z{number}.example", zone_id=f"Z{number}") for number in range(5))
    fake.add_zone("private.example", vpc=Vpc("vpc-1", "us-east-1"), zone_id="ZP")
    pages = list(boto(fake).get_paginator("list_hosted_zones").paginate(PaginationConfig={"PageSize": 2}))
    assert [one["Id"] for page in pages for one in page["HostedZones"]] == [
        f"/hostedzone/{one}" for one in [*ids, "ZP"]
    ]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    private = boto(fake).list_hosted_zones(HostedZoneType="PrivateHostedZone")["HostedZones"]
    assert [one["Name"] for one in private] == ["private.example."]


def test_zones_are_listed_by_name_with_the_labels_reversed(fake: Route53Fake) -> None:
    for name in ("b.example", "a.org", "a.b.example", "example"):
        fake.add_zone(name)
    answer = boto(fake).list_hosted_zones_by_name(DNSName="b.example", MaxItems="2")
    assert [one["Name"] for one in answer["HostedZones"]] == ["b.example.", "a.b.example."]
    assert answer["IsTruncated"] is True
    rest = boto(fake).list_hosted_zones_by_name(DNSName=answer["NextDNSName"], HostedZoneId=answer["NextHostedZoneId"])
    assert [one["Name"] for one in rest["HostedZones"]] == ["a.org."]
    assert len(boto(fake).list_hosted_zones_by_name()["HostedZones"]) == 4


def listed(zone: Zone, **arguments: str) -> list[tuple[str, str]]:
    answer = zone.client.list_resource_record_sets(HostedZoneId=zone.id, **arguments)
    return [(one["Name"], one["Type"]) for one in answer["ResourceRecordSets"]]


def test_record_sets_are_listed_by_reversed_name_and_then_type(zone: Zone) -> None:
    for name, rrtype, value in [
        ("b.example.com", "A", "192.0.2.1"),
        ("a.example.com", "AAAA", "::1"),
        ("a.example.com", "A", "192.0.2.1"),
        ("x.a.example.com", "A", "192.0.2.1"),
        ("a-1.example.com", "A", "192.0.2.1"),
        ("*.example.com", "A", "192.0.2.1"),
    ]:
        zone.change(("CREATE", rrset(name, value, rrtype=rrtype)))
    everything = [
        ("example.com.", "NS"),
        ("example.com.", "SOA"),
        (r"\052.example.com.", "A"),
        ("a-1.example.com.", "A"),
        ("a.example.com.", "A"),
        ("a.example.com.", "AAAA"),
        ("x.a.example.com.", "A"),
        ("b.example.com.", "A"),
    ]
    assert listed(zone) == everything
    assert listed(zone, StartRecordName="a.example.com") == everything[4:]
    assert listed(zone, StartRecordName="A.example.com.", StartRecordType="AAAA") == everything[5:]
    assert listed(zone, StartRecordName="a.example.com", StartRecordType="TXT") == everything[6:]
    assert listed(zone, StartRecordName="*.example.com", MaxItems="1") == everything[2:3]
    assert listed(zone, StartRecordName="c.example.com") == []


def test_a_start_type_needs_a_start_name(zone: Zone) -> None:
    call = zone.client.list_resource_record_sets
    assert code_of(call, HostedZoneId=zone.id, StartRecordType="A") == ("InvalidInput", 400)
    assert code_of(call, HostedZoneId=zone.id, StartRecordName="a", StartRecordIdentifier="x") == ("InvalidInput", 400)


@pytest.mark.parametrize("size", ["0", "-1", "many"])
def test_maxitems_is_a_positive_number(zone: Zone, size: str) -> None:
    assert code_of(zone.client.list_resource_record_sets, HostedZoneId=zone.id, MaxItems=size) == ("InvalidInput", 400)


def test_a_page_has_300_sets_at_most_and_tells_where_the_next_begins(zone: Zone) -> None:
    for number in range(350):
        zone.fake.seed(zone.id, RecordSet(f"h{number:03}.example.com", "A", 60, ("192.0.2.1",)))
    answer = zone.client.list_resource_record_sets(HostedZoneId=zone.id, MaxItems="1000")
    assert len(answer["ResourceRecordSets"]) == 300
    assert (answer["IsTruncated"], answer["MaxItems"]) == (True, "300")
    assert (answer["NextRecordName"], answer["NextRecordType"]) == ("h298.example.com.", "A")
    pages = zone.client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone.id)
    assert [len(page["ResourceRecordSets"]) for page in pages] == [300, 52]


def test_pages_go_through_sets_of_one_name_by_their_identifier(zone: Zone) -> None:
    for one in ("c", "a", "b"):
        zone.fake.seed(
            zone.id,
            RecordSet("w.example.com", "A", 60, ("192.0.2.1",), set_identifier=one, routing=(("Weight", "1"),)),
        )
    pages = list(
        zone.client.get_paginator("list_resource_record_sets").paginate(
            HostedZoneId=zone.id, PaginationConfig={"PageSize": 1}
        )
    )
    assert [page["ResourceRecordSets"][0].get("SetIdentifier") for page in pages] == [None, None, "a", "b", "c"]


def test_a_change_is_pending_and_then_in_sync() -> None:
    clock = ManualClock()
    zone = Zone(Route53Fake(clock=clock, insync_seconds=20))
    info = zone.change(("CREATE", rrset("a.example.com", "192.0.2.1")), Comment="why")["ChangeInfo"]
    assert info["Status"] == "PENDING"
    assert info["SubmittedAt"].timestamp() == clock.now
    assert info["Comment"] == "why"
    clock.now += 19.9
    assert zone.client.get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "PENDING"
    clock.now += 0.2
    assert zone.client.get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert code_of(zone.client.get_change, Id="C0") == ("NoSuchChange", 404)


def test_a_pending_change_is_listed_already(zone: Zone) -> None:
    zone.change(("CREATE", rrset("a.example.com", "192.0.2.1")))
    assert ("a.example.com.", "A") in listed(zone)


@pytest.mark.parametrize(
    ("name", "rrtype", "code", "data"),
    [
        ("a.example.com", "A", "NOERROR", ["192.0.2.1"]),
        ("a.example.com", "AAAA", "NOERROR", []),
        ("x.wild.example.com", "A", "NOERROR", ["192.0.2.2"]),
        ("x.y.wild.example.com", "A", "NOERROR", ["192.0.2.2"]),
        ("c.example.com", "A", "NOERROR", ["a.example.com"]),
        ("no.example.com", "A", "NXDOMAIN", []),
        ("wild.example.com", "A", "NOERROR", []),
        ("example.org", "A", "REFUSED", []),
    ],
)
def test_a_test_answer_is_what_dns_would_say(zone: Zone, name: str, rrtype: str, code: str, data: list[str]) -> None:
    zone.change(
        ("CREATE", rrset("a.example.com", "192.0.2.1")),
        ("CREATE", rrset("*.wild.example.com", "192.0.2.2")),
        ("CREATE", rrset("c.example.com", "a.example.com", rrtype="CNAME")),
    )
    answer = zone.client.test_dns_answer(HostedZoneId=zone.id, RecordName=name, RecordType=rrtype)
    assert (answer["ResponseCode"], answer["RecordData"]) == (code, data)
