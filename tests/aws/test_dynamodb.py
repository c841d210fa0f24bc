"""One call to DynamoDB: what is sent, what is tried again, and what is known when it fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.aws.budget import Deadline
from homing.aws.dynamodb import DynamoDb
from homing.aws.errors import AwsError, NoAnswer, ServiceError
from homing.aws.transport import Reply
from tests.aws.fakes import SECRET_KEY, TOKEN, FakeClock, ScriptedTransport, credentials, json_reply, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

LOST = NoAnswer("lost", may_have_arrived=True)
UNSENT = NoAnswer("not connected", may_have_arrived=False)
THROTTLED = refusal("ThrottlingException", "Rate exceeded")
CONDITION_FAILED = refusal("ConditionalCheckFailedException", "The conditional request failed")


def make(
    *replies: Reply | NoAnswer, budget: float = 2.0, takes: float = 0.0
) -> tuple[DynamoDb, ScriptedTransport, FakeClock]:
    clock = FakeClock()
    transport = ScriptedTransport(*replies, clock=clock, takes=takes)
    client = DynamoDb(
        transport,
        credentials,
        "eu-central-1",
        clock,
        budget_seconds=budget,
        attempt_seconds=1.0,
        sleep=clock.sleep,
        jitter=lambda upper: upper,
    )
    return client, transport, clock


def test_a_call_is_one_signed_post_of_json_1_0() -> None:
    client, transport, clock = make(json_reply({"Item": {}}))
    assert client.call("GetItem", {"TableName": "t", "Key": {"a": {"S": "ü"}}}) == {"Item": {}}
    [(method, target, headers, body)] = transport.sent
    assert (method, target) == ("POST", "/")
    assert json.loads(body) == {"TableName": "t", "Key": {"a": {"S": "ü"}}}
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["X-Amz-Security-Token"] == TOKEN
    assert "/eu-central-1/dynamodb/aws4_request, " in headers["Authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target," in headers["Authorization"]
    assert clock.slept == []


@pytest.mark.parametrize(
    "first",
    [
        THROTTLED,
        refusal("ProvisionedThroughputExceededException"),
        refusal("RequestLimitExceeded"),
        refusal("TransactionInProgressException"),
        refusal("TransactionConflictException"),
        refusal("InternalServerError", status=500),
        Reply(503, {}, b"<html>Service Unavailable</html>"),
        Reply(429, {}, b""),
        Reply(200, {}, b"{}}"),
        Reply(200, {}, b"[]"),
        Reply(200, {}, b"[" * 100_000),
        LOST,
        UNSENT,
    ],
)
def test_what_may_pass_is_tried_again(first: Reply | NoAnswer) -> None:
    client, transport, clock = make(first, json_reply({"ok": 1}))
    assert client.call("GetItem", {}) == {"ok": 1}
    assert len(transport.sent) == 2
    assert clock.slept == [0.05]


@pytest.mark.parametrize(
    "code",
    [
        *(
            "ConditionalCheckFailedException",
            "ValidationException",
            "ResourceNotFoundException",
            "AccessDeniedException",
        ),
        *("ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"),
        *("ItemCollectionSizeLimitExceededException", "IdempotentParameterMismatchException", "SerializationException"),
    ],
)
def test_what_will_not_pass_is_raised_at_once(code: str) -> None:
    client, transport, clock = make(refusal(code, "because"))
    with pytest.raises(ServiceError) as caught:
        client.call("PutItem", {})
    assert (caught.value.code, caught.value.message, caught.value.status) == (code, "because", 400)
    assert str(caught.value) == f"PutItem: {code}: because"
    assert (len(transport.sent), clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("codes", "is_retried"),
    [
        (["None", "TransactionConflict"], True),
        (["ThrottlingError", "ProvisionedThroughputExceeded", "None"], True),
        (["TransactionConflict", "ConditionalCheckFailed"], False),
        (["None", "ConditionalCheckFailed"], False),
        (["ItemCollectionSizeLimitExceeded"], False),
        (["ValidationError"], False),
        (["None", "None"], False),
        ([], False),
    ],
)
def test_a_cancelled_transaction_is_tried_again_only_if_every_reason_may_pass(
    codes: list[str], is_retried: bool
) -> None:
    reasons = [{"Code": code} for code in codes]
    client, transport, _ = make(refusal("TransactionCanceledException", CancellationReasons=reasons), json_reply({}))
    if is_retried:
        client.call("TransactWriteItems", {})
    else:
        with pytest.raises(ServiceError) as caught:
            client.call("TransactWriteItems", {})
        assert caught.value.reasons == reasons
    assert len(transport.sent) == 1 + is_retried


def test_a_failed_condition_brings_the_row_and_shows_it_to_nobody() -> None:
    row = {"shared_secret": {"S": "hush"}}
    client, _, _ = make(refusal("ConditionalCheckFailedException", "The conditional request failed", Item=row))
    with pytest.raises(ServiceError) as caught:
        client.call("UpdateItem", {})
    assert caught.value.item == row
    assert "hush" not in f"{caught.value} {caught.value!r} {caught.value.args}"


def test_the_message_may_be_spelt_with_a_capital_letter() -> None:
    client, _, _ = make(
        json_reply({"__type": "com.amazon.coral.service#ExpiredTokenException", "Message": "over"}, 400)
    )
    with pytest.raises(ServiceError, match="GetItem: ExpiredTokenException: over"):
        client.call("GetItem", {})


@pytest.mark.parametrize(
    "before", [LOST, refusal("InternalServerError", status=500), Reply(502, {}, b""), Reply(200, {}, b"{")]
)
def test_a_refusal_after_an_attempt_that_may_have_happened_says_repeated(before: Reply | NoAnswer) -> None:
    client, _, _ = make(before, THROTTLED, UNSENT, CONDITION_FAILED)
    with pytest.raises(ServiceError) as caught:
        client.call("UpdateItem", {})
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.repeated


@pytest.mark.parametrize("before", [UNSENT, THROTTLED, refusal("TransactionConflictException"), Reply(429, {}, b"")])
def test_a_refusal_after_attempts_that_did_nothing_does_not_say_repeated(before: Reply | NoAnswer) -> None:
    client, _, _ = make(before, CONDITION_FAILED)
    with pytest.raises(ServiceError) as caught:
        client.call("UpdateItem", {})
    assert not caught.value.repeated


def test_a_refusal_of_what_the_transport_sent_twice_says_repeated() -> None:
    client, _, _ = make(refusal("ConditionalCheckFailedException", repeated=True))
    with pytest.raises(ServiceError) as caught:
        client.call("UpdateItem", {})
    assert caught.value.repeated


def test_doubt_from_an_early_attempt_stays_to_the_end() -> None:
    client, _, _ = make(LOST, UNSENT)
    with pytest.raises(NoAnswer) as caught:
        client.call("UpdateItem", {})
    assert caught.value.may_have_arrived


def test_without_any_attempt_that_arrived_there_is_no_doubt() -> None:
    client, _, _ = make(UNSENT, THROTTLED, UNSENT)
    with pytest.raises(NoAnswer) as caught:
        client.call("UpdateItem", {})
    assert not caught.value.may_have_arrived


def test_an_internal_error_to_the_end_is_a_refusal_that_may_have_happened() -> None:
    client, transport, _ = make(refusal("InternalServerError", "oops", 500))
    with pytest.raises(ServiceError) as caught:
        client.call("UpdateItem", {})
    assert caught.value.may_have_happened
    assert caught.value.repeated
    assert len(transport.sent) > 3


def test_a_failure_without_a_verdict_to_the_end_is_no_answer() -> None:
    client, _, _ = make(Reply(502, {}, b"<html>Bad Gateway</html>"))
    with pytest.raises(NoAnswer, match="UpdateItem: HTTP 502") as caught:
        client.call("UpdateItem", {})
    assert caught.value.may_have_arrived


def test_throttling_to_the_end_says_so_and_keeps_to_the_budget() -> None:
    client, transport, clock = make(THROTTLED, budget=2.0)
    began = clock.time
    with pytest.raises(ServiceError) as caught:
        client.call("UpdateItem", {})
    assert caught.value.is_throttling
    assert not caught.value.repeated
    assert clock.slept == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8])
    assert clock.time - began <= 2.0
    assert len(transport.sent) == 6


def test_an_attempt_has_no_more_time_than_the_budget_has_left() -> None:
    client, transport, clock = make(LOST, budget=2.5, takes=1.0)
    began = clock.time
    with pytest.raises(NoAnswer):
        client.call("GetItem", {})
    assert transport.timeouts == pytest.approx([1.0, 1.0, 2.5 - 2.15])
    assert clock.time - began <= 3.5


@given(
    st.lists(
        st.sampled_from([LOST, UNSENT, THROTTLED, CONDITION_FAILED, json_reply({}), Reply(500, {}, b"")]),
        min_size=1,
        max_size=6,
    )
)
def test_nothing_that_may_have_happened_is_ever_forgotten(replies: Sequence[Reply | NoAnswer]) -> None:
    client, transport, _ = make(*replies)
    doubt = False
    try:
        client.call("UpdateItem", {})
        return
    except ServiceError as error:
        told = error.repeated
    except NoAnswer as error:
        told = error.may_have_arrived
    played = [*replies, *[replies[-1]] * len(transport.sent)][: len(transport.sent)]
    doubt = any(one is LOST or (isinstance(one, Reply) and one.status == 500) for one in played)
    assert told == doubt


@given(st.integers(min_value=201, max_value=599), st.binary(max_size=40) | st.just(b'{"__type":7,"message":[]}'))
def test_any_reply_ends_in_an_error_of_ours(status: int, body: bytes) -> None:
    client, _, _ = make(Reply(status, {}, body), budget=0.01)
    with pytest.raises(AwsError):
        client.call("GetItem", {})


def test_neither_key_nor_token_is_in_an_error() -> None:
    told = (
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should have been"
        f"\n'POST\n/\n\nx-amz-security-token:{TOKEN}\n'"
    )
    client, _, _ = make(refusal("InvalidSignatureException", told))
    with pytest.raises(ServiceError) as caught:
        client.call("GetItem", {})
    shown = f"{caught.value} {caught.value!r} {caught.value.message} {vars(caught.value)}"
    assert TOKEN not in shown
    assert SECRET_KEY not in shown
    assert str(caught.value).endswith("does not match.")


def test_closing_closes_the_connections() -> None:
    client, transport, _ = make(json_reply({}))
    client.close()
    assert transport.is_closed


def test_a_payload_is_sent_compactly() -> None:
    payload: dict[str, Any] = {"TableName": "t", "Key": {"a": {"S": "b"}}}
    client, transport, _ = make(json_reply({}))
    client.call("GetItem", payload)
    assert transport.sent[0][3] == b'{"TableName":"t","Key":{"a":{"S":"b"}}}'


def test_nothing_is_tried_after_the_deadline_of_all_calls() -> None:
    clock, deadline = FakeClock(), Deadline()
    transport = ScriptedTransport(UNSENT, clock=clock, takes=1.0)
    client = DynamoDb(
        transport, credentials, "eu-central-1", clock,
        budget_seconds=5.0, deadline=deadline, sleep=clock.sleep, jitter=lambda upper: upper,
    )  # fmt: skip
    deadline.at = clock.time + 1.5
    with pytest.raises(NoAnswer, match="not connected"):
        client.call("GetItem", {})
    assert transport.timeouts == [1.5, pytest.approx(0.45)]
    clock.time = deadline.at
    with pytest.raises(NoAnswer, match="no time was left") as caught:
        client.call("UpdateItem", {})
    assert not caught.value.may_have_arrived
    assert len(transport.sent) == 2
