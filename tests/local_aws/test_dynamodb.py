"""DynamoDB on loopback: transactions that leave nothing behind when they fail, and a stream that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from local_aws.dynamodb import DynamoDbServer

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "t-config"


@pytest.fixture(scope="module")
def server() -> Iterator[DynamoDbServer]:
    started = DynamoDbServer()
    yield started
    started.close()


def key(name: str) -> dict[str, Any]:
    return {"hostname": {"S": name}, "record_type": {"S": "A"}}


def put(name: str, ttl: int) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": key(name) | {"ttl": {"N": str(ttl)}}}}


def update(name: str, ttl: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": key(name),
            "UpdateExpression": "SET #t = :t",
            "ExpressionAttributeNames": {"#t": "ttl"},
            "ExpressionAttributeValues": {":t": {"N": str(ttl)}},
        }
    }


def absent(name: str) -> dict[str, Any]:
    condition = {"ConditionExpression": "attribute_not_exists(hostname)", "Key": key(name), "TableName": TABLE}
    return {"ConditionCheck": condition | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}


def test_a_transaction_that_fails_changes_no_item_and_no_stream_and_readers_of_it_go_on(
    server: DynamoDbServer,
) -> None:
    arn = server.make_table(TABLE)
    client, streams = server.client("dynamodb"), server.client("dynamodbstreams")
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]

    def shown() -> dict[str, str]:
        return {one["hostname"]["S"]: one["ttl"]["N"] for one in client.scan(TableName=TABLE)["Items"]}

    client.transact_write_items(TransactItems=[put("a.", 1), put("b.", 1)])
    with pytest.raises(ClientError) as failed:
        client.transact_write_items(TransactItems=[update("a.", 2), put("c.", 2), update("d.", 2), absent("b.")])
    codes = [reason["Code"] for reason in failed.value.response["CancellationReasons"]]
    assert codes == ["None", "None", "None", "ConditionalCheckFailed"]
    assert failed.value.response["CancellationReasons"][3]["Item"]["ttl"] == {"N": "1"}
    assert shown() == {"a.": "1", "b.": "1"}
    client.transact_write_items(TransactItems=[update("a.", 3), put("b.", 3)])
    assert shown() == {"a.": "3", "b.": "3"}

    records = streams.get_records(ShardIterator=iterator)["Records"]
    seen = [(one["dynamodb"]["Keys"]["hostname"]["S"], one["dynamodb"]["NewImage"]["ttl"]["N"]) for one in records]
    assert seen == [("a.", "1"), ("b.", "1"), ("a.", "3"), ("b.", "3")]
    numbers = [int(one["dynamodb"]["SequenceNumber"]) for one in records]
    assert numbers == sorted(set(numbers))
