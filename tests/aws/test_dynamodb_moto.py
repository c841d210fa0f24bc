"""The client against moto's DynamoDB over HTTP: the shapes of answers and refusals as boto3 would get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.server import ThreadedMotoServer

from homing.aws.dynamodb import DynamoDb
from homing.aws.errors import ServiceError
from homing.aws.sns import Sns
from homing.aws.transport import HttpTransport, endpoint_for
from homing.wiring.system import SystemClock
from tests.aws.fakes import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-central-1"
KEY = {"hostname": {"S": "cam.home.example."}, "record_type": {"S": "A"}}
ABSENT = {"ConditionExpression": "attribute_not_exists(hostname)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    server.stop()


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[DynamoDb]:
    transport = HttpTransport(endpoint_for("dynamodb", REGION, environment))
    found = DynamoDb(transport, credentials, REGION, SystemClock())
    found.call(
        "CreateTable",
        {
            "TableName": "t",
            "KeySchema": [
                {"AttributeName": "hostname", "KeyType": "HASH"},
                {"AttributeName": "record_type", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in KEY],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    yield found
    found.call("DeleteTable", {"TableName": "t"})
    found.close()


def put(**more: Any) -> dict[str, Any]:
    return {"TableName": "t", "Item": KEY | {"version": {"N": "1"}}} | more


def test_a_row_comes_back_as_it_was_put(client: DynamoDb) -> None:
    assert client.call("GetItem", {"TableName": "t", "Key": KEY, "ConsistentRead": True}) == {}
    client.call("PutItem", put())
    answer = client.call("GetItem", {"TableName": "t", "Key": KEY, "ConsistentRead": True})
    assert answer["Item"] == KEY | {"version": {"N": "1"}}


def test_a_failed_condition_brings_the_row(client: DynamoDb) -> None:
    client.call("PutItem", put())
    with pytest.raises(ServiceError) as caught:
        client.call("PutItem", put(**ABSENT))
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.item == KEY | {"version": {"N": "1"}}
    assert not caught.value.repeated


def test_a_cancelled_transaction_tells_a_reason_for_each_item(client: DynamoDb) -> None:
    client.call("PutItem", put())
    other = {"TableName": "t", "Item": KEY | {"record_type": {"S": "AAAA"}}}
    with pytest.raises(ServiceError) as caught:
        client.call("TransactWriteItems", {"TransactItems": [{"Put": other}, {"Put": put(**ABSENT)}]})
    assert caught.value.code == "TransactionCanceledException"
    assert [reason["Code"] for reason in caught.value.reasons] == ["None", "ConditionalCheckFailed"]
    assert caught.value.reasons[1]["Item"] == KEY | {"version": {"N": "1"}}


def test_a_table_that_is_not_there_is_named_by_its_code(client: DynamoDb) -> None:
    with pytest.raises(ServiceError) as caught:
        client.call("GetItem", {"TableName": "none", "Key": KEY})
    assert caught.value.code == "ResourceNotFoundException"


def test_a_topic_is_told_and_one_that_is_not_there_is_refused(environment: dict[str, str]) -> None:
    import boto3

    theirs = boto3.client(
        "sns",
        region_name=REGION,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    topic = theirs.create_topic(Name="t")["TopicArn"]
    ours = Sns(HttpTransport(endpoint_for("sns", REGION, environment)), credentials, SystemClock(), REGION)
    ours.publish(topic, "subject", "Grüße & more = 100 %\n")
    with pytest.raises(ServiceError, match="Publish: NotFound") as caught:
        ours.publish(topic + "x", "subject", "message")
    assert caught.value.status == 404
    ours.close()
    theirs.close()
