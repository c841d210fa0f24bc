"""A table of DynamoDB and its stream in memory, as much of them as the publisher function asks, at DynamoDB's pace.

moto takes a millisecond and more of CPU for each row that it is asked for, written or streamed; with 10,000 of them it
would be moto that is measured. Conditions on versions are kept here; the rest of DynamoDB's rules are not looked at.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_aws.http_server import HttpAnswer, HttpRequest

from homing.core.hosts import Host
from homing.core.rows import key_of
from homing.stores.dynamodb_items import from_item, to_item, to_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from homing.core.rows import RowKey

READ_SECONDS, WRITE_SECONDS = 0.010, 0.050
"""What BatchGetItem and TransactWriteItems with some 90 rows are taken to last; nothing here was measured on AWS."""

Item = dict[str, Any]


class Rows:
    """The items of one table. Safe for use by several threads."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self._items: dict[RowKey, Item] = {key_of(host): _item(host) for host in hosts}
        self._lock = threading.Lock()
        self.calls = 0

    def hosts(self) -> list[Host]:
        """Return the rows as they are now."""
        rows = [from_item(item) for item in self._items.values()]
        return [row for row in rows if isinstance(row, Host)]

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer BatchGetItem, TransactWriteItems and UpdateItem."""
        operation = (request.header("x-amz-target") or "").rpartition(".")[2]
        asked = json.loads(request.body)
        self.calls += 1
        time.sleep(READ_SECONDS if operation == "BatchGetItem" else WRITE_SECONDS)
        with self._lock:
            if operation == "BatchGetItem":
                return _answered(200, self._read(asked["RequestItems"]))
            actions = asked["TransactItems"] if operation == "TransactWriteItems" else [{"Update": asked}]
            return self._write([action["Update"] for action in actions])

    def _read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = asked.items()
        found = [self._items.get(_key(key)) for key in wanted["Keys"]]
        return {"Responses": {table: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _write(self, updates: list[dict[str, Any]]) -> HttpAnswer:
        holds = [self._items[_key(one["Key"])]["version"] == one["ExpressionAttributeValues"][":v"] for one in updates]
        if not all(holds):
            reasons = [{"Code": "None" if held else "ConditionalCheckFailed"} for held in holds]
            error = {"__type": "x#TransactionCanceledException", "CancellationReasons": reasons}
            return _answered(400, error)
        for update in updates:
            _apply(self._items[_key(update["Key"])], update)
        return _answered(200, {})

    # --- the stream, with what `EventSource` calls of boto3's client

    def describe_stream(self, **_: object) -> dict[str, Any]:
        """One shard."""
        return {"StreamDescription": {"Shards": [{"ShardId": "shardId-1"}]}}

    def get_shard_iterator(self, **_: object) -> dict[str, str]:
        """An iterator is the number of the next record."""
        return {"ShardIterator": "0"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Return a record for each row that was there at the beginning."""
        start = int(ShardIterator)
        with self._lock:
            part = list(self._items.items())[start : start + Limit]
        records = [_record(start + number, key, item) for number, (key, item) in enumerate(part)]
        return {"Records": records, "NextShardIterator": str(start + len(part))}


def _item(host: Host) -> Item:
    return {**to_key(key_of(host)), "version": {"N": str(host.version)}, **to_item(host)}


def _key(key: Mapping[str, Any]) -> RowKey:
    return key["hostname"]["S"], key["record_type"]["S"]


def _apply(item: Item, update: Mapping[str, Any]) -> None:
    """Carry out `SET #s0 = :s0, #s1 = :s1 REMOVE #r0, #r1`."""
    names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
    sets, _, removes = update["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
    for clause in sets.split(", "):
        name, _, value = clause.partition(" = ")
        item[names[name]] = values[value]
    for name in filter(None, removes.split(", ")):
        item.pop(names[name], None)


def _record(number: int, key: RowKey, item: Item) -> dict[str, Any]:
    change = {
        "Keys": to_key(key),
        "NewImage": dict(item),
        "SequenceNumber": f"{number:021d}",
        "ApproximateCreationDateTime": datetime.now(UTC),
    }
    return {"eventID": str(number), "eventName": "MODIFY", "dynamodb": change}


def _answered(status: int, value: Mapping[str, Any]) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(value).encode(), (("Content-Type", "application/x-amz-json-1.0"),))
