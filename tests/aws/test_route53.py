"""Changing Route 53's record sets, with botocore as the oracle for what is sent, and how a refusal is read."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from homing.aws.errors import NoAnswer, ServiceError
from homing.aws.route53 import Change, ResourceRecordSet, Route53
from homing.aws.transport import Reply
from homing.core.errors import InvalidInput
from tests.aws.fakes import FakeClock, ScriptedTransport, credentials

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
MODEL = botocore.session.Session().get_service_model("route53")
CHANGED = Reply(
    200,
    {},
    f"""<?xml version="1.0"?>
<ChangeResourceRecordSetsResponse xmlns="{NAMESPACE}"><ChangeInfo><Id>/change/C2682N5HXP0BZ4</Id><Status>PENDING
</Status><SubmittedAt>2026-11-21T10:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>""".encode(),
)
HOST = ResourceRecordSet("cam.home.example.", "A", 60, ("192.0.2.1",))

texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(" &<>\"'"), max_size=20)
record_sets = st.builds(
    ResourceRecordSet,
    name=texts,
    type=st.sampled_from(["A", "AAAA", "TXT"]),
    ttl=st.integers(0, 2**31 - 1),
    values=st.lists(texts, min_size=1, max_size=3).map(tuple),
)
changes = st.lists(
    st.builds(Change, st.sampled_from(["CREATE", "DELETE", "UPSERT"]), record_sets), min_size=1, max_size=4
)


def make(reply: Reply) -> tuple[Route53, ScriptedTransport]:
    transport = ScriptedTransport(reply)
    return Route53(transport, credentials, FakeClock()), transport


def xml(body: str, status: int = 200) -> Reply:
    return Reply(status, {}, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())


# --- changing


@given(changes)
def test_a_batch_is_what_botocore_would_send(batch: list[Change]) -> None:
    client, transport = make(CHANGED)
    assert client.change("Z1", batch) == "C2682N5HXP0BZ4"
    [(method, target, headers, body)] = transport.sent
    theirs = create_serializer("rest-xml").serialize_to_request(
        {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [as_theirs(one) for one in batch]}},
        MODEL.operation_model("ChangeResourceRecordSets"),
    )
    assert (method, target) == (theirs["method"], theirs["url_path"])
    assert ElementTree.canonicalize(body.decode()) == ElementTree.canonicalize(theirs["body"].decode())
    assert "/us-east-1/route53/aws4_request, " in headers["Authorization"]


def as_theirs(change: Change) -> dict[str, Any]:
    one = change.record_set
    values = [{"Value": value} for value in one.values]
    return {
        "Action": change.action,
        "ResourceRecordSet": {"Name": one.name, "Type": one.type, "TTL": one.ttl, "ResourceRecords": values},
    }


@pytest.mark.parametrize("zone_id", ["Z1", "/hostedzone/Z1", "hostedzone/Z1"])
def test_a_zone_id_may_have_its_prefix(zone_id: str) -> None:
    client, transport = make(CHANGED)
    client.change(zone_id, [Change("UPSERT", HOST)])
    assert transport.sent[0][1] == "/2013-04-01/hostedzone/Z1/rrset/"


def test_a_zone_id_cannot_leave_its_place_in_the_path() -> None:
    client, transport = make(CHANGED)
    client.change("Z1?x=y#\u00fc", [Change("UPSERT", HOST)])
    assert transport.sent[0][1] == "/2013-04-01/hostedzone/Z1%3Fx%3Dy%23%C3%BC/rrset/"


@pytest.mark.parametrize(
    "other",
    [
        ResourceRecordSet("a.example.", "A", None, (), alias="b.example."),
        ResourceRecordSet("a.example.", "A", 60, ("192.0.2.1",), routing="SetIdentifier=blue Weight=1"),
        ResourceRecordSet("a.example.", "A", None, ("192.0.2.1",)),
        ResourceRecordSet("a.example.", "TXT", 60, ('"a\x00b"',)),
        ResourceRecordSet("a.example.\n", "A", 60, ("192.0.2.1",)),
    ],
)
def test_what_is_not_ours_to_write_is_refused_before_anything_is_sent(other: ResourceRecordSet) -> None:
    client, transport = make(CHANGED)
    with pytest.raises(InvalidInput):
        client.change("Z1", [Change("CREATE", HOST), Change("DELETE", other)])
    assert transport.sent == []


def test_a_success_without_an_id_is_no_answer() -> None:
    client, _ = make(Reply(200, {}, b"<html>a captive portal</html>"))
    with pytest.raises(NoAnswer) as caught:
        client.change("Z1", [Change("CREATE", HOST)])
    assert caught.value.may_have_arrived


# --- refusals


def error_response(code: str, message: str) -> str:
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )


BATCH_REFUSED = f"""<InvalidChangeBatch xmlns="{NAMESPACE}"><Messages><Message>one</Message><Message> two
</Message></Messages><RequestId>1</RequestId></InvalidChangeBatch>"""


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (error_response("InvalidChangeBatch", "[a, b &amp; c]"), "InvalidChangeBatch", "[a, b & c]"),
        (BATCH_REFUSED, "InvalidChangeBatch", "one; two"),
        (error_response("Throttling", "Rate exceeded"), "Throttling", "Rate exceeded"),
        (error_response("PriorRequestNotComplete", ""), "PriorRequestNotComplete", ""),
        ("<ErrorResponse/>", "HTTP 400", ""),
        ("<html><body><Message>no</Message></body></html>", "HTTP 400", ""),
        ("not XML", "HTTP 400", ""),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]><ErrorResponse><Error><Code>&a;</Code></Error></ErrorResponse>',
            "HTTP 400",
            "",
        ),
    ],
)
def test_a_refusal_is_read_in_each_form(body: str, code: str, message: str) -> None:
    client, transport = make(xml(body, 400))
    with pytest.raises(ServiceError) as caught:
        client.change("Z1", [Change("CREATE", HOST)])
    assert (caught.value.code, caught.value.message, caught.value.status) == (code, message, 400)
    assert caught.value.is_throttling == (code == "Throttling")
    assert len(transport.sent) == 1


def test_a_refusal_reads_as_botocore_reads_it() -> None:
    body = error_response("NoSuchHostedZone", "No hosted zone found with ID: Z1")
    theirs = create_parser("rest-xml").parse(
        {"body": body.encode(), "headers": {}, "status_code": 404},
        MODEL.operation_model("ChangeResourceRecordSets").output_shape,
    )["Error"]
    client, _ = make(xml(body, 404))
    with pytest.raises(ServiceError) as caught:
        client.change("Z1", [Change("CREATE", HOST)])
    assert (caught.value.code, caught.value.message) == (theirs["Code"], theirs["Message"])


def test_a_failure_of_theirs_may_have_happened() -> None:
    client, _ = make(xml("<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>", 500))
    with pytest.raises(ServiceError) as caught:
        client.change("Z1", [Change("CREATE", HOST)])
    assert caught.value.may_have_happened
    client, _ = make(Reply(502, {}, b"bad gateway"))
    with pytest.raises(NoAnswer) as lost:
        client.change("Z1", [Change("CREATE", HOST)])
    assert lost.value.may_have_arrived


def test_a_refusal_of_what_was_sent_twice_says_so() -> None:
    body = b"<ErrorResponse><Error><Code>InvalidChangeBatch</Code></Error></ErrorResponse>"
    client, _ = make(Reply(400, {}, body, repeated=True))
    with pytest.raises(ServiceError) as caught:
        client.change("Z1", [Change("CREATE", HOST)])
    assert caught.value.repeated
