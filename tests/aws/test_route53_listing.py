"""Route 53's record sets and zones, as they are read."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.aws.errors import AwsError, NoAnswer
from homing.aws.route53 import HostedZone, Page, ResourceRecordSet
from homing.aws.transport import Reply
from tests.aws.test_route53 import NAMESPACE, make, xml

LISTED = f"""<ListResourceRecordSetsResponse xmlns="{NAMESPACE}"><ResourceRecordSets>
<ResourceRecordSet><Name>home.example.</Name><Type>TXT</Type><TTL>300</TTL><ResourceRecords>
<ResourceRecord><Value>"a &lt; b"</Value></ResourceRecord><ResourceRecord><Value>"c"</Value></ResourceRecord>
</ResourceRecords></ResourceRecordSet>
<ResourceRecordSet><Name>\\052.home.example.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords>
<ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>
<ResourceRecordSet><Name>api.home.example.</Name><Type>A</Type><AliasTarget><HostedZoneId>Z2FDTNDATAQYW2</HostedZoneId>
<DNSName>d111.cloudfront.net.</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>
<ResourceRecordSet><Name>w.home.example.</Name><Type>A</Type><SetIdentifier>blue</SetIdentifier><Weight>10</Weight>
<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.2</Value></ResourceRecord></ResourceRecords>
<HealthCheckId>h</HealthCheckId></ResourceRecordSet>
<ResourceRecordSet><Name>x.home.example.</Name><Type>A</Type><SetIdentifier>ch</SetIdentifier><GeoLocation>
<CountryCode>CH</CountryCode></GeoLocation><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.3</Value>
</ResourceRecord></ResourceRecords></ResourceRecordSet>
</ResourceRecordSets><IsTruncated>true</IsTruncated><NextRecordName>\\052.z.home.example.</NextRecordName>
<NextRecordType>AAAA</NextRecordType><MaxItems>5</MaxItems></ListResourceRecordSetsResponse>"""


def test_a_page_tells_plain_record_sets_from_aliases_and_routing() -> None:
    client, _ = make(xml(LISTED))
    assert client.list("Z1") == Page(
        (
            ResourceRecordSet("home.example.", "TXT", 300, ('"a < b"', '"c"')),
            ResourceRecordSet("*.home.example.", "A", 60, ("192.0.2.1",)),
            ResourceRecordSet("api.home.example.", "A", None, (), alias="d111.cloudfront.net."),
            ResourceRecordSet(
                "w.home.example.", "A", 60, ("192.0.2.2",), routing="SetIdentifier=blue Weight=10 HealthCheckId=h"
            ),
            ResourceRecordSet("x.home.example.", "A", 60, ("192.0.2.3",), routing="SetIdentifier=ch GeoLocation=CH"),
        ),
        ("*.z.home.example.", "AAAA"),
    )


def test_the_next_page_is_asked_for_where_the_last_one_ended() -> None:
    within = LISTED.replace("<MaxItems>", "<NextRecordIdentifier>a &amp; b</NextRecordIdentifier><MaxItems>")
    client, transport = make(xml(within))
    page = client.list("/hostedzone/Z1", ("*.a.example.", "A"), 5)
    assert page.next_start == ("*.z.home.example.", "AAAA", "a & b")
    client.list("Z1", page.next_start)
    targets = [urlsplit(one[1]) for one in transport.sent]
    assert {target.path for target in targets} == {"/2013-04-01/hostedzone/Z1/rrset"}
    assert [parse_qs(target.query) for target in targets] == [
        {"name": ["*.a.example."], "type": ["A"], "maxitems": ["5"]},
        {"name": ["*.z.home.example."], "type": ["AAAA"], "identifier": ["a & b"], "maxitems": ["300"]},
    ]


def test_the_last_page_has_no_next() -> None:
    last = LISTED.replace("<IsTruncated>true", "<IsTruncated>false")
    client, _ = make(xml(last))
    assert client.list("Z1").next_start is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Home.Example", "home.example."),
        (r"\052.example.com.", "*.example.com."),
        (r"a\056b.example.com.", r"a\056b.example.com."),
        (r"a\134b.example.com.", r"a\134b.example.com."),
        (r"a\040b.example.com.", r"a\040b.example.com."),
        (r"\101.example.com.", "a.example.com."),
        (r"\344.example.com.", r"\344.example.com."),
    ],
)
def test_a_name_is_canonical_and_an_escaped_dot_is_no_dot(written: str, name: str) -> None:
    client, _ = make(xml(LISTED.replace(r"\052.home.example.", written, 1)))
    assert client.list("Z1").record_sets[1].name == name


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "<a>",
        f"<!DOCTYPE a>{LISTED}",
        LISTED.replace("<TTL>300", "<TTL>soon"),
        LISTED.replace("<NextRecordType>AAAA</NextRecordType>", ""),
        LISTED.replace(r"<NextRecordName>\052.z.home.example.</NextRecordName>", ""),
    ],
)
def test_a_page_that_cannot_be_read_is_no_answer(body: str) -> None:
    client, _ = make(xml(body))
    with pytest.raises(NoAnswer):
        client.list("Z1")


def test_another_encoding_does_not_hide_a_document_type() -> None:
    hidden = f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a>{LISTED}'.encode("utf-16")
    client, _ = make(Reply(200, {}, hidden))
    with pytest.raises(NoAnswer):
        client.list("Z1")


@given(st.integers(200, 599), st.text(max_size=60) | st.sampled_from(["<a/>", "<Error><Code/></Error>", LISTED]))
def test_any_reply_is_a_page_or_an_error_of_ours(status: int, body: str) -> None:
    client, _ = make(Reply(status, {}, body.encode(errors="surrogatepass")))
    try:
        client.list("Z1")
    except AwsError:
        return
    assert status == 200


# --- zones


def zone_reply(private: str = "false", servers: str = "<NameServer>NS-1.awsdns-01.org</NameServer>") -> Reply:
    return xml(
        f'<GetHostedZoneResponse xmlns="{NAMESPACE}"><HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name>'
        f"<Config><PrivateZone>{private}</PrivateZone></Config></HostedZone><DelegationSet><NameServers>{servers}"
        "</NameServers></DelegationSet></GetHostedZoneResponse>"
    )


def test_a_zone_tells_its_name_and_its_name_servers() -> None:
    client, transport = make(zone_reply())
    assert client.zone("/hostedzone/Z1") == HostedZone(
        "Z1", "example.com.", private=False, name_servers=("ns-1.awsdns-01.org.",)
    )
    assert [one[:2] for one in transport.sent] == [("GET", "/2013-04-01/hostedzone/Z1")]


def test_a_private_zone_has_no_name_servers() -> None:
    client, _ = make(zone_reply("true", ""))
    assert client.zone("Z1") == HostedZone("Z1", "example.com.", private=True, name_servers=())
