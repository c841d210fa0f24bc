"""The event source keeps Lambda's rules: order, batches, filter, retries, bisecting, dead letters."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.dynamodb import DynamoDbServer
from local_aws.event_source import EventSource, Mapping, first_failure, is_pending
from local_aws.execution import Invoked

from tests.e2e.programs import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_numbers = count()


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDbServer]:
    server = DynamoDbServer()
    yield server
    server.close()


class Function:
    """Stands in for a Lambda function: keeps what it was given, and answers what the test wants."""

    name = arn = "publish"

    def __init__(self, answer: Callable[[Sequence[str]], object] | None = None) -> None:
        self.batches: list[list[str]] = []
        self._answer = answer or (lambda _: None)

    def invoke(self, event: Any) -> Invoked:
        names = [record["dynamodb"]["Keys"]["hostname"]["S"] for record in event["Records"]]
        self.batches.append(names)
        answer = self._answer(names)
        if isinstance(answer, Exception):
            return Invoked(b"{}", "Unhandled")
        failures = answer if isinstance(answer, list) else []
        numbers = {
            name: record["dynamodb"]["SequenceNumber"] for name, record in zip(names, event["Records"], strict=True)
        }
        return Invoked(
            json.dumps({"batchItemFailures": [{"itemIdentifier": numbers[name]} for name in failures]}).encode(), None
        )

    @property
    def seen(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


class Stream:
    """A table of its own, its writer, and its dead letters."""

    def __init__(self, server: DynamoDbServer) -> None:
        self.name = f"t{next(_numbers)}-config"
        self.arn = server.make_table(self.name)
        self.client, self.streams, self.sqs = (server.client(one) for one in ("dynamodb", "dynamodbstreams", "sqs"))
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]

    def put(self, *names: str, pending: bool = True) -> None:
        for name in names:
            item = {"hostname": {"S": name}, "record_type": {"S": "A"}} | ({"pending": {"N": "1"}} if pending else {})
            self.client.put_item(TableName=self.name, Item=item)

    @contextmanager
    def followed_by(self, function: Function, **settings: Any) -> Iterator[EventSource]:
        source = EventSource(
            function,  # type: ignore[arg-type]  # it stands in for one
            self.streams,
            self.arn,
            Mapping(**settings),
            sqs=self.sqs,
            dead_letters=self.queue,
        )
        try:
            yield source
        finally:
            source.close()

    def letters(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(one["Body"]) for one in found]


@pytest.fixture
def stream(dynamodb: DynamoDbServer) -> Stream:
    return Stream(dynamodb)


def test_only_rows_that_are_pending_wake_the_function(stream: Stream) -> None:
    function = Function()
    with stream.followed_by(function) as source:
        stream.put("a.", "b.")
        stream.put("b.", pending=False)
        stream.client.delete_item(TableName=stream.name, Key={"hostname": {"S": "a."}, "record_type": {"S": "A"}})
        stream.put("c.")
        assert wait_for(lambda: function.seen == ["a.", "b.", "c."])
        assert wait_for(lambda: source.records_read == 5)


def test_batches_are_as_long_as_they_may_be_and_in_order(stream: Stream) -> None:
    function, names = Function(), [f"h{number}." for number in range(25)]
    stream.put(*names)
    with stream.followed_by(function, batch_size=10):
        assert wait_for(lambda: len(function.seen) == 25)
    assert function.seen == names
    assert [len(batch) for batch in function.batches] == [10, 10, 5]


def test_a_window_gathers_what_comes_slowly(stream: Stream) -> None:
    function = Function()
    with stream.followed_by(function, batch_window=1.0):
        for name in ("a.", "b.", "c."):
            stream.put(name)
            time.sleep(0.1)
        assert function.batches == []
        assert wait_for(lambda: function.batches == [["a.", "b.", "c."]])


def test_a_partial_answer_is_gone_on_with_from_the_first_failure(stream: Stream) -> None:
    refused = iter([["c.", "b."]])
    function = Function(lambda _: next(refused, None))
    stream.put("a.", "b.", "c.")
    with stream.followed_by(function):
        assert wait_for(lambda: function.batches == [["a.", "b.", "c."], ["b.", "c."]])
    assert stream.letters() == []


def test_a_record_that_always_fails_is_found_by_halving_and_buried(stream: Stream) -> None:
    function = Function(lambda names: ValueError() if "bad." in names else None)
    stream.put("a.", "b.", "bad.", "c.")
    with stream.followed_by(function, retry_attempts=2):
        assert wait_for(lambda: function.seen[-1:] == ["c."], 20)
    assert function.batches.count(["bad."]) == 3
    assert ["a.", "b."] in function.batches
    (letter,) = stream.letters()
    assert letter["DDBStreamBatchInfo"]["batchSize"] == 1
    assert letter["DDBStreamBatchInfo"]["startSequenceNumber"] == letter["DDBStreamBatchInfo"]["endSequenceNumber"]
    assert letter["requestContext"]["approximateInvokeCount"] == 3


def test_without_halving_the_whole_batch_is_tried_again_and_buried(stream: Stream) -> None:
    function = Function(lambda names: ValueError() if "bad." in names else None)
    stream.put("a.", "bad.")
    with stream.followed_by(function, retry_attempts=1, bisects=False):
        assert wait_for(lambda: len(function.batches) == 2)
        stream.put("later.")
        assert wait_for(lambda: function.batches[-1] == ["later."])
    assert [letter["DDBStreamBatchInfo"]["batchSize"] for letter in stream.letters()] == [2]


def test_what_is_too_old_is_buried_after_its_first_failure(stream: Stream) -> None:
    function = Function(lambda _: ValueError())
    stream.put("a.")
    with stream.followed_by(function, max_record_age=-1.0):
        assert wait_for(lambda: bool(function.batches))
        time.sleep(0.3)
    assert function.batches == [["a."]]
    assert len(stream.letters()) == 1


RECORDS = [{"dynamodb": {"SequenceNumber": str(number)}} for number in (10, 11, 12)]


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (None, None),
        ({}, None),
        ({"batchItemFailures": []}, None),
        ({"batchItemFailures": None}, None),
        ({"batchItemFailures": [{"itemIdentifier": "12"}, {"itemIdentifier": "11"}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, 0),
        ({"batchItemFailures": [{"wrong": "11"}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": "99"}]}, 0),
    ],
)
def test_what_a_function_says_of_its_batch(answer: object, first: int | None) -> None:
    assert first_failure(answer, RECORDS) == first


@pytest.mark.parametrize(
    ("name", "image", "wakes"),
    [
        ("INSERT", {"pending": {"N": "1"}}, True),
        ("MODIFY", {"pending": {"N": "1"}}, True),
        ("MODIFY", {}, False),
        ("REMOVE", {"pending": {"N": "1"}}, False),
    ],
)
def test_the_filter(name: str, image: dict[str, Any], wakes: bool) -> None:
    assert is_pending({"eventName": name, "dynamodb": {"NewImage": image}}) is wakes
