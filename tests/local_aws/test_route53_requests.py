"""What a request has to look like: its XML, its target, its signature."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.route53 import Limits, Reply, Route53Fake

from .route53_driver import KEY_ID, SECRET, ManualClock, Zone, boto, rrset

NS = "https://route53.amazonaws.com/doc/2013-04-01/"
SCOPE = "20261121/us-east-1/route53/aws4_request"
SIGNED = {
    "Host": "route53.test",
    "X-Amz-Date": "20261121T000000Z",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=AKID/{SCOPE}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
}


@pytest.fixture
def fake() -> Route53Fake:
    fake = Route53Fake(limits=Limits.none())
    fake.add_zone("example.com", zone_id="Z1")
    return fake


def post(fake: Route53Fake, body: str | bytes, **headers: str) -> Reply:
    data = body.encode() if isinstance(body, str) else body
    return fake.handle("POST", "/2013-04-01/hostedzone/Z1/rrset/", SIGNED | headers, data)


def error(reply: Reply) -> tuple[int, str, str]:
    code, message = (re.search(rf"<{tag}>(.*?)</{tag}>", reply.body.decode(), re.DOTALL) for tag in ("Code", "Message"))
    assert code is not None
    assert message is not None
    return reply.status, code[1], message[1]


SET = (
    "<Name>a.example.com</Name><Type>A</Type><TTL>60</TTL>"
    "<ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>"
)


def batch(rrset_xml: str = SET, action: str = "<Action>CREATE</Action>", namespace: str = NS) -> str:
    change = f"<Change>{action}<ResourceRecordSet>{rrset_xml}</ResourceRecordSet></Change>"
    return document(f"<ChangeBatch><Changes>{change}</Changes></ChangeBatch>", namespace)


def document(content: str, namespace: str = NS) -> str:
    shown = f' xmlns="{namespace}"' if namespace else ""
    return f"<ChangeResourceRecordSetsRequest{shown}>{content}</ChangeResourceRecordSetsRequest>"


def test_a_plain_request_is_taken(fake: Route53Fake) -> None:
    reply = post(fake, '<?xml version="1.0" encoding="UTF-8"?>\n' + batch().replace("><", ">\n  <"))
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/xml"
    assert b'<ChangeResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">' in reply.body
    assert re.search(rb"<Id>/change/C[A-Z0-9]+</Id><Status>PENDING</Status><SubmittedAt>[-0-9T:.]+Z<", reply.body)


def test_a_prefix_for_the_namespace_is_as_good(fake: Route53Fake) -> None:
    body = re.sub(r"<(/?)([A-Z])", r"<\1r:\2", batch()).replace("xmlns=", "xmlns:r=")
    assert post(fake, body).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"{}",
        batch()[:-1].encode(),
        batch().encode() + b"x",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + batch().encode(),
        b"\xff\xfe<a/>",
        batch().replace("192.0.2.1", "\x01").encode(),
    ],
)
def test_what_is_no_xml_is_malformed(fake: Route53Fake, body: bytes) -> None:
    assert error(post(fake, body)) == (400, "MalformedInput", "Could not parse XML")


def test_another_document_is_malformed(fake: Route53Fake) -> None:
    told = 400, "MalformedInput", "ChangeBatch is not valid, expected ChangeResourceRecordSetsRequest"
    assert error(post(fake, f'<ChangeBatch xmlns="{NS}"/>')) == told


@pytest.mark.parametrize("namespace", ["", "https://route53.amazonaws.com/doc/2012-12-12/"])
def test_the_namespace_is_that_of_the_version(fake: Route53Fake, namespace: str) -> None:
    code, message = error(post(fake, batch(namespace=namespace)))[1:]
    assert code == "InvalidInput"
    assert message.startswith("Invalid XML ; cvc-elt.1: Cannot find the declaration of element")


VALUE = "<ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (batch(SET + "<Extra/>"), "2.4.a: Invalid content was found starting with element 'Extra'"),
        (batch(SET + "<Name>b.example.com</Name>"), "2.4.a: Invalid content was found starting with element 'Name'"),
        (batch(SET.replace("<TTL>", '<TTL xmlns="x">')), "2.4.a"),
        (batch(SET.replace("<Type>A</Type>", "")), "2.4.b: The content of element 'ResourceRecordSet' is not complete"),
        (batch(action=""), "2.4.b: The content of element 'Change' is not complete"),
        (batch(SET.replace(VALUE, "")), "2.4.b: The content of element 'ResourceRecords' is not complete"),
        (batch(SET.replace(VALUE, "<ResourceRecord/>")), "2.4.b: The content of element 'ResourceRecord'"),
        (batch(SET.replace(VALUE, VALUE + "<Value/>")), "2.4.a"),
        (batch(SET + "text"), "2.3: Element 'ResourceRecordSet' cannot have character"),
        (batch(SET.replace("60", "<b/>")), "simple type"),
        (document("<ChangeBatch><Changes/></ChangeBatch>"), "2.4.b: The content of element 'Changes' is not complete"),
        (document("<ChangeBatch/>"), "2.4.b"),
        (document(""), "2.4.b"),
        (document("<HostedZoneId>Z1</HostedZoneId>"), "2.4.a"),
        (batch(action="<Action>REPLACE</Action>"), "enumeration '[CREATE, DELETE, UPSERT]'"),
        (batch(SET.replace(">A<", ">a<")), "cvc-enumeration-valid: Value 'a'"),
        (batch(SET.replace(">60<", ">-1<")), "minInclusive '0'"),
        (batch(SET.replace(">60<", ">1e3<")), "not a valid value for 'integer'"),
        (batch(SET.replace(">60<", "><")), "not a valid value for 'integer'"),
        (batch(SET.replace("192.0.2.1", "1" * 4001)), "length = '4001' is not facet-valid with respect to maxLength"),
    ],
)
def test_what_does_not_follow_the_schema_is_told_where(fake: Route53Fake, body: str, told: str) -> None:
    status, code, message = error(post(fake, body))
    assert (status, code) == (400, "InvalidInput")
    assert message.startswith("Invalid XML ; ")
    assert told in message
    assert len(fake.record_sets("Z1")) == 2


ALIAS = (
    "<AliasTarget><HostedZoneId>Z9</HostedZoneId><DNSName>b.example</DNSName>"
    "<EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>"
)


@pytest.mark.parametrize(
    ("rrset_xml", "found"),
    [
        (SET.replace("<TTL>60</TTL>", ""), "none"),
        (SET[: SET.index("<ResourceRecords>")], "none"),
        (SET + ALIAS, "more than one"),
        ("<Name>a.example.com</Name><Type>A</Type>", "none"),
    ],
)
def test_a_set_is_an_alias_or_has_a_ttl_and_values(fake: Route53Fake, rrset_xml: str, found: str) -> None:
    code, message = error(post(fake, batch(rrset_xml, "<Action>DELETE</Action>")))[1:]
    assert code == "InvalidInput"
    end = f"found {found} in Change with [Action=DELETE, Name=a.example.com, Type=A, SetIdentifier=null]"
    assert message.endswith(end)


def test_the_order_of_elements_counts_only_when_asked_for(fake: Route53Fake) -> None:
    turned = batch("<Type>A</Type><Name>a.example.com</Name>" + SET[SET.index("<TTL>") :])
    assert post(fake, turned).status == 200
    strict = Route53Fake(ordered_xml=True)
    strict.add_zone("example.com", zone_id="Z1")
    assert error(post(strict, turned))[1] == "InvalidInput"
    assert post(strict, batch()).status == 200


def test_refused_batches_can_be_told_in_the_documented_form() -> None:
    fake = Route53Fake(documented_errors=True)
    fake.add_zone("example.com", zone_id="Z1")
    body = post(fake, batch(action="<Action>DELETE</Action>")).body.decode()
    assert f'<InvalidChangeBatch xmlns="{NS}"><Messages><Message>Tried to delete' in body


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/2013-04-01/healthcheck", "UnknownOperation"),
        ("PUT", "/2013-04-01/hostedzone/Z1", "UnknownOperation"),
        ("GET", "/2012-12-12/hostedzone", "UnknownOperation"),
        ("GET", "/2013-04-01/hostedzone/Z1/rrset?colour=blue", "InvalidInput"),
        ("GET", "/2013-04-01/hostedzone/Z1/rrset?maxitems=1&maxitems=2", "InvalidInput"),
        ("GET", "/2013-04-01/hostedzone/Z1/rrset?name=a&type=a", "InvalidInput"),
        ("GET", "/2013-04-01/hostedzone/Z1/rrset?name=a..b", "InvalidInput"),
        ("GET", "/2013-04-01/hostedzone//hostedzone/Z1/rrset", "UnknownOperation"),
        ("GET", "/2013-04-01/testdnsanswer?hostedzoneid=Z1", "InvalidInput"),
    ],
)
def test_other_requests_are_refused_clearly(fake: Route53Fake, method: str, target: str, code: str) -> None:
    assert error(fake.handle(method, target, SIGNED))[1] == code


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": None}, 403, "MissingAuthenticationToken"),
        ({"Authorization": "Basic YTpi"}, 403, "IncompleteSignature"),
        ({"Authorization": SIGNED["Authorization"][:-1]}, 403, "IncompleteSignature"),
        ({"Authorization": SIGNED["Authorization"].replace("us-east-1", "eu-west-1")}, 403, "SignatureDoesNotMatch"),
        ({"Authorization": SIGNED["Authorization"].replace("route53", "dynamodb")}, 403, "SignatureDoesNotMatch"),
        ({"Authorization": SIGNED["Authorization"].replace("host;", "")}, 403, "SignatureDoesNotMatch"),
        ({"Authorization": SIGNED["Authorization"].replace("host;", "host;x-other;")}, 403, "SignatureDoesNotMatch"),
        ({"X-Amz-Date": "20261122T000000Z"}, 403, "SignatureDoesNotMatch"),
        ({"X-Amz-Date": None}, 403, "SignatureDoesNotMatch"),
    ],
)
def test_every_request_is_signed(fake: Route53Fake, headers: dict[str, Any], status: int, code: str) -> None:
    sent = {name: value for name, value in (SIGNED | headers).items() if value is not None}
    assert error(fake.handle("GET", "/2013-04-01/hostedzone", sent))[:2] == (status, code)


def signed_fake(secrets: dict[str, str], now: float | None = None) -> Zone:
    clock = ManualClock(now) if now else None
    return Zone(Route53Fake(secrets=secrets, clock=clock) if clock else Route53Fake(secrets=secrets))


def test_botocore_signs_as_the_fake_verifies() -> None:
    zone = signed_fake({KEY_ID: SECRET})
    zone.change(("CREATE", rrset("*.example.com", "192.0.2.1")))
    listed = zone.client.list_resource_record_sets(
        HostedZoneId=zone.id, StartRecordName="*.example.com", StartRecordType="A"
    )
    assert listed["ResourceRecordSets"][0]["Name"] == r"\052.example.com."
    assert zone.client.list_hosted_zones_by_name(DNSName="a/b~+%!'.example", MaxItems="3")["HostedZones"] == []


@pytest.mark.parametrize(
    ("secrets", "now", "code"),
    [
        ({KEY_ID: "other"}, None, "SignatureDoesNotMatch"),
        ({"OTHER": SECRET}, None, "InvalidClientTokenId"),
        ({KEY_ID: SECRET}, 1_700_000_000.0, "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_secret_a_wrong_key_and_a_wrong_time_are_refused(
    secrets: dict[str, str], now: float | None, code: str
) -> None:
    zone = signed_fake(secrets, now)
    with pytest.raises(ClientError) as caught:
        boto(zone.fake).get_hosted_zone(Id=zone.id)
    assert caught.value.response["Error"]["Code"] == code
