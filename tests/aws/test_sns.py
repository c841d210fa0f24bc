"""What a topic is told, cut to what SNS takes."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.aws.budget import Deadline
from homing.aws.errors import NoAnswer, ServiceError
from homing.aws.sns import Sns
from homing.aws.transport import Reply
from tests.aws.fakes import FakeClock, ScriptedTransport, credentials

TOPIC = "arn:aws:sns:eu-central-1:123456789012:t"


def make(reply: Reply) -> tuple[Sns, ScriptedTransport]:
    transport = ScriptedTransport(reply)
    return Sns(transport, credentials, FakeClock(), "eu-central-1"), transport


@given(st.text(), st.text(max_size=50))
def test_what_is_published_is_what_sns_takes(subject: str, message: str) -> None:
    client, transport = make(Reply(200, {}, b"<PublishResponse/>"))
    client.publish(TOPIC, subject, message)
    [(method, target, headers, body)] = transport.sent
    form = {name: values[0] for name, values in parse_qs(body.decode("ascii"), keep_blank_values=True).items()}
    assert (method, target, form["Action"], form["TopicArn"]) == ("POST", "/", "Publish", TOPIC)
    assert form["Message"] == message
    assert "/eu-central-1/sns/aws4_request, " in headers["Authorization"]
    shown = form.get("Subject", "x")
    assert 0 < len(shown) < 100
    assert shown.isascii()
    assert shown.isprintable()


def test_nobody_is_told_after_the_deadline() -> None:
    transport, clock, deadline = ScriptedTransport(Reply(200, {}, b"")), FakeClock(), Deadline()
    client = Sns(transport, credentials, clock, "eu-central-1", deadline)
    deadline.at = clock.time + 2.0
    client.publish(TOPIC, "s", "m")
    assert transport.timeouts == [2.0]
    clock.time += 2.0
    with pytest.raises(NoAnswer, match="no time was left") as caught:
        client.publish(TOPIC, "s", "m")
    assert not caught.value.may_have_arrived
    assert len(transport.sent) == 1


def test_a_subject_is_one_short_line_of_ascii() -> None:
    client, transport = make(Reply(200, {}, b""))
    client.publish(TOPIC, " Größe\r\nX: \x00" + "y" * 200, "m")
    assert parse_qs(transport.sent[0][3].decode())["Subject"] == ["Gr??e X: ?" + "y" * 89]


def test_a_long_message_is_cut_between_characters() -> None:
    client, transport = make(Reply(200, {}, b""))
    client.publish(TOPIC, "s", "x" + "ü" * 200_000)
    message = parse_qs(transport.sent[0][3].decode())["Message"][0]
    assert len(message.encode()) == 256 * 1024 - 1


def test_a_refusal_is_told_and_nothing_is_tried_again() -> None:
    body = (
        b'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
        b"<Code>AuthorizationError</Code><Message>not allowed</Message></Error></ErrorResponse>"
    )
    client, transport = make(Reply(403, {}, body))
    with pytest.raises(ServiceError, match="Publish: AuthorizationError: not allowed"):
        client.publish(TOPIC, "s", "m")
    assert len(transport.sent) == 1


def test_a_failure_without_a_verdict_is_no_answer() -> None:
    client, _ = make(Reply(503, {}, b"<html><body>sorry</body></html>"))
    with pytest.raises(NoAnswer) as caught:
        client.publish(TOPIC, "s", "m")
    assert caught.value.may_have_arrived
