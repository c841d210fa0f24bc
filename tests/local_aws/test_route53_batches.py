"""A change batch: all or nothing, and every rule that can refuse one."""

from __future__ import annotations

import pytest
from local_aws.route53 import Alias, Limits, Quotas, RecordSet, Route53Fake

from .route53_driver import Zone, rrset


@pytest.fixture
def zone() -> Zone:
    return Zone(Route53Fake(limits=Limits.none()))


A = rrset("a.example.com.", "192.0.2.1")
ALREADY = "[Tried to create resource record set [name='a.example.com.', type='A'] but it already exists]"
TRIED_TO_DELETE = "[Tried to delete resource record set [name='a.example.com.', type='A'] but "
OTHER = TRIED_TO_DELETE + "the values provided do not match the current values]"
MISSING = TRIED_TO_DELETE + "it was not found]"


def test_create_makes_a_set_that_is_listed(zone: Zone) -> None:
    zone.change(("CREATE", A))
    listed = zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    assert A in listed


def test_create_of_a_set_that_exists_is_refused(zone: Zone) -> None:
    zone.change(("CREATE", A))
    assert zone.refused(("CREATE", A)) == ("InvalidChangeBatch", ALREADY)


def test_delete_of_what_is_not_there_is_refused(zone: Zone) -> None:
    assert zone.refused(("DELETE", A)) == ("InvalidChangeBatch", MISSING)


@pytest.mark.parametrize(
    "other",
    [
        A | {"TTL": 61},
        rrset("a.example.com.", "192.0.2.2"),
        rrset("a.example.com.", "192.0.2.1", "192.0.2.2"),
        rrset("a.example.com.", "192.0.2.1", SetIdentifier="x", Weight=1),
    ],
)
def test_delete_needs_the_ttl_and_every_value_as_they_are(zone: Zone, other: dict[str, object]) -> None:
    zone.change(("CREATE", A))
    code, message = zone.refused(("DELETE", other))
    assert code == "InvalidChangeBatch"
    assert message == OTHER or "set-identifier='x'] but it was not found" in message
    assert zone.values("a.example.com") == ("192.0.2.1",)


def test_delete_takes_the_values_in_any_order(zone: Zone) -> None:
    zone.change(("CREATE", rrset("a.example.com", "192.0.2.1", "192.0.2.2")))
    zone.change(("DELETE", rrset("a.example.com", "192.0.2.2", "192.0.2.1")))
    assert zone.values("a.example.com") == ()


def test_upsert_creates_and_replaces(zone: Zone) -> None:
    zone.change(("UPSERT", A))
    zone.change(("UPSERT", rrset("a.example.com", "192.0.2.9", ttl=5)))
    assert zone.values("a.example.com") == ("192.0.2.9",)


def test_one_bad_change_undoes_the_whole_batch(zone: Zone) -> None:
    zone.refused(
        ("CREATE", A), ("CREATE", rrset("b.example.com", "192.0.2.1")), ("DELETE", rrset("c.example.com", "::1"))
    )
    zone.refused(("CREATE", A), ("DELETE", rrset("c.example.com", "192.0.2.1")))
    assert zone.values("a.example.com") == zone.values("b.example.com") == ()
    assert len(zone.fake.record_sets(zone.id)) == 2


def test_every_reason_is_told(zone: Zone) -> None:
    zone.change(("CREATE", A))
    _, message = zone.refused(("CREATE", A), ("DELETE", rrset("b.example.com", "192.0.2.1")))
    assert "already exists, Tried to delete resource record set [name='b.example.com.', type='A']" in message


def test_a_swap_is_a_delete_of_the_old_and_a_create_of_the_new(zone: Zone) -> None:
    zone.change(("CREATE", A))
    new = rrset("a.example.com", "192.0.2.7")
    zone.change(("DELETE", A), ("CREATE", new))
    assert zone.values("a.example.com") == ("192.0.2.7",)
    code, message = zone.refused(("DELETE", A), ("CREATE", new))
    assert code == "InvalidChangeBatch"
    assert message == f"[{OTHER[1:-1]}, {ALREADY[1:-1]}]"


@pytest.mark.parametrize(
    "actions",
    [
        ("CREATE", "CREATE"),
        ("DELETE", "DELETE"),
        ("UPSERT", "UPSERT"),
        ("UPSERT", "DELETE"),
        ("CREATE", "DELETE"),
        ("DELETE", "UPSERT"),
    ],
)
def test_two_changes_of_one_set_are_refused(zone: Zone, actions: tuple[str, str]) -> None:
    code, message = zone.refused(*((action, A) for action in actions))
    assert (code, message) == (
        "InvalidChangeBatch",
        "[The request contains an invalid set of changes for a resource record set 'A a.example.com.']",
    )


def test_the_name_decides_whether_two_changes_are_of_one_set_not_its_spelling(zone: Zone) -> None:
    _, message = zone.refused(("CREATE", A), ("CREATE", rrset("A.Example.COM", "192.0.2.2")))
    assert "invalid set of changes" in message


@pytest.mark.parametrize("name", ["a.example.org", "xexample.com", "com", "example.com.au"])
def test_names_outside_the_zone_are_refused(zone: Zone, name: str) -> None:
    _, message = zone.refused(("UPSERT", rrset(name, "192.0.2.1")))
    assert message == f"[RRSet with DNS name {name}. is not permitted in zone example.com.]"


def test_a_cname_is_alone_at_its_name(zone: Zone) -> None:
    zone.change(("CREATE", A), ("CREATE", rrset("c.example.com", "a.example.com", rrtype="CNAME")))
    _, beside = zone.refused(("UPSERT", rrset("a.example.com", "b.example.com", rrtype="CNAME")))
    assert "of type CNAME with DNS name a.example.com. is not permitted as it conflicts with other records" in beside
    _, beside = zone.refused(("UPSERT", rrset("c.example.com", "::1", rrtype="AAAA")))
    assert "because a conflicting RRSet of type CNAME with the same DNS name already exists" in beside


def test_a_cname_can_be_swapped_for_an_address_in_one_batch(zone: Zone) -> None:
    cname = rrset("c.example.com", "a.example.com", rrtype="CNAME")
    zone.change(("CREATE", cname))
    zone.change(("DELETE", cname), ("CREATE", rrset("c.example.com", "192.0.2.1")))
    assert zone.values("c.example.com") == ("192.0.2.1",)


def test_no_cname_at_the_apex(zone: Zone) -> None:
    _, message = zone.refused(("CREATE", rrset("example.com", "a.example.org", rrtype="CNAME")))
    assert message == "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]"


def test_the_apex_keeps_its_ns_and_soa(zone: Zone) -> None:
    for rrtype, told in [("NS", "at least one NS record for the zone itself"), ("SOA", "exactly one SOA record")]:
        present = zone.fake.get(zone.id, "example.com", rrtype)
        assert present is not None
        assert present.ttl is not None
        shown = rrset("example.com", *present.values, rrtype=rrtype, ttl=present.ttl)
        assert told in zone.refused(("DELETE", shown))[1]
        assert "but it already exists" in zone.refused(("CREATE", shown))[1]
        zone.change(("UPSERT", shown | {"TTL": 300}))


def test_no_soa_below_the_apex(zone: Zone) -> None:
    soa = rrset("a.example.com", "ns. host. 1 7200 900 1209600 86400", rrtype="SOA")
    assert "is not permitted" in zone.refused(("CREATE", soa))[1]


def test_a_delegation_below_the_apex_comes_and_goes(zone: Zone) -> None:
    delegation = rrset("sub.example.com", "ns1.example.net", rrtype="NS")
    zone.change(("CREATE", delegation))
    zone.change(("DELETE", delegation))
    assert zone.values("sub.example.com", "NS") == ()


def test_weighted_sets_share_a_name_and_no_simple_one_joins_them(zone: Zone) -> None:
    first, second = (rrset("w.example.com", "192.0.2.1", SetIdentifier=one, Weight=1) for one in ("one", "two"))
    zone.change(("CREATE", first), ("CREATE", second))
    assert "set-identifier='one'] but it already exists" in zone.refused(("CREATE", first))[1]
    assert (
        "as other RRSets exist with the same name and type"
        in zone.refused(("UPSERT", rrset("w.example.com", "192.0.2.3")))[1]
    )
    zone.change(("CREATE", A))
    _, message = zone.refused(("CREATE", rrset("a.example.com", "192.0.2.3", SetIdentifier="x", Weight=0)))
    assert "SetIdentifier x cannot be created as a non-weighted set exists with the same name and type" in message
    assert "needs a SetIdentifier" in zone.refused(("CREATE", rrset("d.example.com", "192.0.2.3", Weight=0)))[1]


def test_alias_and_weighted_sets_of_others_are_seeded_listed_and_deleted(zone: Zone) -> None:
    target = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net.", "EvaluateTargetHealth": False}
    zone.fake.seed(zone.id, RecordSet("www.example.com", "A", alias=Alias("Z2FDTNDATAQYW2", "d1.cloudfront.net.")))
    weighted = RecordSet("w.example.com", "A", 60, ("192.0.2.1",), set_identifier="one", routing=(("Weight", "9"),))
    zone.fake.seed(zone.id, weighted)
    listed = zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    alias = {"Name": "www.example.com.", "Type": "A", "AliasTarget": target}
    assert alias in listed
    assert rrset("w.example.com.", "192.0.2.1", SetIdentifier="one", Weight=9) in listed
    assert "do not match" in zone.refused(("DELETE", rrset("www.example.com", "192.0.2.1")))[1]
    zone.change(("DELETE", alias))
    assert zone.fake.get(zone.id, "www.example.com", "A") is None


def test_an_alias_within_the_zone_needs_its_target(zone: Zone) -> None:
    target = {"HostedZoneId": zone.id, "DNSName": "a.example.com", "EvaluateTargetHealth": False}
    alias = {"Name": "b.example.com", "Type": "A", "AliasTarget": target}
    assert "but that target was not found" in zone.refused(("CREATE", alias))[1]
    zone.change(("CREATE", A), ("CREATE", alias))


def test_a_full_zone_takes_no_more_sets_but_still_changes(zone: Zone) -> None:
    small = Zone(Route53Fake(quotas=Quotas(sets_in_zone=3)))
    small.change(("CREATE", A))
    code, message = small.refused(("CREATE", rrset("b.example.com", "192.0.2.1")))
    assert (code, message) == ("InvalidChangeBatch", f"[Exceeded limit MAX_RRSETS_BY_ZONE for zone: {small.id}]")
    small.change(("UPSERT", rrset("a.example.com", "192.0.2.2")))
    small.change(("DELETE", rrset("a.example.com", "192.0.2.2")), ("CREATE", rrset("b.example.com", "192.0.2.1")))


def test_a_zone_that_is_over_its_limit_takes_changes_that_add_nothing(zone: Zone) -> None:
    small = Zone(Route53Fake(quotas=Quotas(sets_in_zone=2)))
    small.fake.seed(small.id, RecordSet("a.example.com", "A", 60, ("192.0.2.1",)))
    small.change(("DELETE", A), ("CREATE", rrset("a.example.com", "192.0.2.2")))
    assert "MAX_RRSETS_BY_ZONE" in small.refused(("CREATE", rrset("b.example.com", "192.0.2.1")))[1]


@pytest.mark.parametrize(
    "other", [{"DNSName": "d2.example.net"}, {"HostedZoneId": "Z1"}, {"EvaluateTargetHealth": True}]
)
def test_delete_of_an_alias_needs_its_whole_target(zone: Zone, other: dict[str, object]) -> None:
    target = {"HostedZoneId": "Z9", "DNSName": "d1.example.net", "EvaluateTargetHealth": False}
    alias = {"Name": "www.example.com", "Type": "A", "AliasTarget": target}
    zone.change(("CREATE", alias))
    assert "do not match" in zone.refused(("DELETE", alias | {"AliasTarget": target | other}))[1]


def test_an_upsert_of_what_is_there_is_a_change_but_no_new_state(zone: Zone) -> None:
    zone.change(("CREATE", A))
    assert zone.change(("UPSERT", A))["ChangeInfo"]["Id"].startswith("/change/C")
    assert len(zone.fake.journal.history("a.example.com.", "A")) == 1


def test_values_and_comments_come_back_as_they_went(zone: Zone) -> None:
    text = rrset("t.example.com.", r'"<a href=\"x\"> & ]]>"', rrtype="TXT")
    info = zone.change(("CREATE", text), Comment="a < b & c")["ChangeInfo"]
    assert info["Comment"] == "a < b & c"
    assert text in zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
