"""An event source mapping: reads DynamoDB Streams and hands batches to a function, as Lambda does.

Filter, batch size and window, one batch at a time from each shard and in order, partial-batch answers, bisecting,
bounded retries and age, dead letters in SQS. Rules:
docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html, .../services-ddb-batchfailurereporting.html and
.../invocation-eventfiltering.html. It knows nothing of what the records mean but for the filter that it is given.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws.lambda_runtime import REGION, LambdaFunction, invoke_safely

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger("local_aws.event_source")

Record = dict[str, Any]
_READ = 1000
_IDLE_SECONDS = 0.05
_RETRY_SECONDS = 0.1
_LONGEST_WAIT = 2.0


def is_pending(record: Record) -> bool:
    """The filter of the template: a row that was written while it is pending."""
    return record["eventName"] in ("INSERT", "MODIFY") and "pending" in record["dynamodb"].get("NewImage", {})


@dataclass(frozen=True)
class Mapping:
    """The settings of an event source mapping, with the names that CloudFormation has for them. Times in seconds."""

    batch_size: int = 500
    batch_window: float = 0.0
    retry_attempts: int = 5
    max_record_age: float = 3600.0
    bisects: bool = True
    filter: Callable[[Record], bool] = is_pending


class EventSource:
    """Runs from the moment it is made until `close`. `streams` and `sqs` are boto3 clients."""

    def __init__(
        self,
        function: LambdaFunction,
        streams: Any,
        stream_arn: str,
        mapping: Mapping | None = None,
        *,
        sqs: Any = None,
        dead_letters: str | None = None,
    ) -> None:
        self._function, self._streams, self._arn = function, streams, stream_arn
        self._mapping = mapping or Mapping()
        self._sqs, self._dead_letters = sqs, dead_letters
        self._stop = threading.Event()
        self.records_read = 0
        self.batches: list[int] = []
        """How many records each invocation was given."""
        self._threads = [
            threading.Thread(target=self._follow, args=(shard["ShardId"],), daemon=True) for shard in self._shards()
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after the batch that is running."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _shards(self) -> Sequence[dict[str, Any]]:
        shards: Sequence[dict[str, Any]] = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"][
            "Shards"
        ]
        return shards

    def _follow(self, shard: str) -> None:
        """Read one shard from its beginning to the end, and hand it on in order."""
        answer = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        iterator, waiting, since = answer["ShardIterator"], deque[Record](), 0.0
        while not self._stop.is_set():
            read = self._streams.get_records(ShardIterator=iterator, Limit=_READ)
            iterator = read["NextShardIterator"]
            self.records_read += len(read["Records"])
            fresh = [one for one in map(_as_event, read["Records"]) if self._mapping.filter(one)]
            since = since if waiting else time.monotonic()
            waiting += fresh
            is_due = time.monotonic() >= since + self._mapping.batch_window
            while waiting and (is_due or len(waiting) >= self._mapping.batch_size) and not self._stop.is_set():
                size = min(len(waiting), self._mapping.batch_size)
                self._deliver(shard, [waiting.popleft() for _ in range(size)])
            if not read["Records"]:
                self._stop.wait(_IDLE_SECONDS)

    def _deliver(self, shard: str, batch: list[Record]) -> None:
        """Hand a batch over until each record of it is done, or given up; parts of it keep their order."""
        parts = deque([(batch, 0)])
        while parts and not self._stop.is_set():
            part, attempts = parts.popleft()
            first = self._invoke(part)
            if first is None:
                continue
            part = part[first:]  # what came before is done: the checkpoint has moved
            if self._is_too_old(part):
                self._bury(shard, part, attempts)
            elif self._mapping.bisects and first == 0 and len(part) > 1:
                half = len(part) // 2  # splitting does not count as a retry
                parts.extendleft([(part[half:], attempts), (part[:half], attempts)])
            elif first == 0 and attempts >= self._mapping.retry_attempts:
                self._bury(shard, part, attempts)
            else:
                self._stop.wait(min(_LONGEST_WAIT, _RETRY_SECONDS * 2**attempts))
                parts.appendleft((part, attempts + 1 if first == 0 else 0))

    def _is_too_old(self, part: Sequence[Record]) -> bool:
        age = time.time() - part[0]["dynamodb"]["ApproximateCreationDateTime"]
        return bool(age > self._mapping.max_record_age)

    def _invoke(self, batch: Sequence[Record]) -> int | None:
        """Return the index of the first record that is not done, or None when all are."""
        self.batches.append(len(batch))
        result = invoke_safely(self._function, {"Records": list(batch)})
        if result.error is not None:
            log.warning("%s: %s", self._function.name, result.error)
            return 0
        return first_failure(json.loads(result.payload or b"null"), batch)

    def _bury(self, shard: str, batch: Sequence[Record], attempts: int) -> None:
        """Tell SQS which records were given up; the records themselves stay in the stream."""
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        letter = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._function.arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": attempts + 1,
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(batch),
                "streamArn": self._arn,
            },
        }
        if self._sqs is not None:
            self._sqs.send_message(QueueUrl=self._dead_letters, MessageBody=json.dumps(letter))


def first_failure(answer: Any, batch: Sequence[Record]) -> int | None:
    """Return where to go on in a batch, from what the function said of it; None when it is done.

    Null, nothing, and an empty list are success. An identifier that is empty or not of the batch fails all of it.
    """
    failures = (answer or {}).get("batchItemFailures") if isinstance(answer, dict | None) else []
    if not failures:
        return None
    order = {record["dynamodb"]["SequenceNumber"]: index for index, record in enumerate(batch)}
    found = [order.get(failure.get("itemIdentifier")) for failure in failures]
    return 0 if None in found else min(index for index in found if index is not None)


def _as_event(record: Record) -> Record:
    """Return a record as Lambda words it: the API has a datetime where the event has seconds."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": change,
        "eventSourceARN": "",
    }
