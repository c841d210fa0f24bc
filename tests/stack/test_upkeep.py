"""Looking after a stack: how it is, what it logged, and what is deleted or kept when it goes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.errors import Refused
from homing.stack.condition import condition_of
from homing.stack.logs import follow_lines, groups_of, read_lines
from homing.stack.removal import data_of, delete_stack, delete_table, delete_zone
from homing.stack.stacks import Stack, find_stack, get_stack

if TYPE_CHECKING:
    from homing.stack.account import Account

TEMPLATE = """
Parameters:
  route53ZoneId: {Type: String, Default: ''}
Resources:
  ddnsConfigTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      TableName: homing-config
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
      AttributeDefinitions: [{AttributeName: hostname, AttributeType: S}]
      KeySchema: [{AttributeName: hostname, KeyType: HASH}]
  route53newZone:
    Type: AWS::Route53::HostedZone
    DeletionPolicy: Retain
    Properties: {Name: home.example.}
  updateLogGroup: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: /aws/lambda/update}}
  adminLogGroup: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: /aws/lambda/admin}}
  publisherDeadLetters: {Type: 'AWS::SQS::Queue', Properties: {QueueName: letters}}
Outputs:
  endpointUrl: {Value: 'https://abc.lambda-url.eu-central-1.on.aws/'}
"""


@pytest.fixture
def stack(account: Account) -> Stack:
    account.client("cloudformation").create_stack(StackName="homing", TemplateBody=TEMPLATE)
    return find_stack(account, "homing")


def test_a_stack_tells_its_endpoint_and_table(stack: Stack) -> None:
    assert (stack.endpoint, stack.table) == ("https://abc.lambda-url.eu-central-1.on.aws", "homing-config")
    assert stack.is_usable


def test_one_that_is_not_there_is_refused_with_what_to_do(account: Account) -> None:
    with pytest.raises(Refused, match=r"no stack nobody in eu-central-1 of account 123456789012: `homing aws deploy"):
        find_stack(account, "nobody")


# --- how it is


def test_dead_letters_and_alarms_are_told(account: Account, stack: Stack) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="letters")["QueueUrl"]
    assert condition_of(account, stack).dead_letters == 0
    sqs.send_message(QueueUrl=url, MessageBody="a record")
    assert condition_of(account, stack).dead_letters == 1


def test_only_the_alarms_of_the_stack_are_asked(account: Account, cloudformation: Any) -> None:
    from datetime import UTC, datetime

    cloudwatch = account.client("cloudwatch")
    for name in ("homing-errors", "other"):
        cloudwatch.put_metric_alarm(AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1)
    cloudwatch.set_alarm_state(AlarmName="homing-errors", StateValue="ALARM", StateReason="too many")
    made = {
        "LogicalResourceId": "errors", "PhysicalResourceId": "homing-errors", "ResourceStatus": "CREATE_COMPLETE",
        "ResourceType": "AWS::CloudWatch::Alarm", "LastUpdatedTimestamp": datetime.now(UTC),
    }  # fmt: skip
    cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": [made]})
    found = condition_of(account, Stack("homing", "arn", "CREATE_COMPLETE", "", {}, {}))
    assert [(one.name, one.state, one.reason) for one in found.alarms] == [("homing-errors", "ALARM", "too many")]


# --- logs


def say(account: Account, group: str, *lines: tuple[int, str]) -> None:
    logs = account.client("logs")
    stream = f"s{lines[0][0]}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": time, "message": text} for time, text in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def now_ms() -> int:
    import time

    return int(time.time() * 1000)


def test_lines_of_all_functions_come_in_order_of_time(account: Account, stack: Stack) -> None:
    now = now_ms()
    groups = groups_of(account, stack.name, ("update", "publish", "admin"))
    assert groups == {"update": "/aws/lambda/update", "admin": "/aws/lambda/admin"}
    say(account, "/aws/lambda/update", (now - 90_000, "too old"), (now - 3_000, "first\n"), (now - 1_000, "third"))
    say(account, "/aws/lambda/admin", (now - 2_000, "second"))
    lines = list(read_lines(account, groups, now - 60_000))
    told = [(one.function, one.text) for one in lines]
    assert told == [("update", "first"), ("admin", "second"), ("update", "third")]


def test_following_shows_each_line_once_and_late_ones_too(account: Account, stack: Stack) -> None:
    now = now_ms()
    later = iter([(now, "second"), (now - 5_000, "late")])

    def sleep(_seconds: float) -> None:
        say(account, "/aws/lambda/update", next(later))

    say(account, "/aws/lambda/update", (now - 2_000, "first"))
    followed = follow_lines(account, {"update": "/aws/lambda/update"}, now - 60_000, sleep)
    assert [one.text for one in islice(followed, 3)] == ["first", "second", "late"]


def test_a_function_that_the_stack_does_not_have_is_refused(account: Account, stack: Stack) -> None:
    with pytest.raises(Refused, match="no function publish"):
        groups_of(account, stack.name, ("publish",))


# --- deletion


def test_what_holds_data_is_known_before_the_stack_goes(account: Account, stack: Stack) -> None:
    data = data_of(account, stack)
    zones = account.client("route53").list_hosted_zones()["HostedZones"]
    assert data.table == "homing-config"
    assert f"/hostedzone/{data.zone_id}" in [one["Id"] for one in zones]
    delete_stack(account, stack)
    assert get_stack(account, "homing") is None


def test_what_a_rollback_took_back_is_not_said_to_be_kept(account: Account, cloudformation: Any) -> None:
    from datetime import UTC, datetime

    gone = {
        "LogicalResourceId": "ddnsConfigTable", "PhysicalResourceId": "homing-config", "ResourceStatus":
        "DELETE_COMPLETE", "ResourceType": "AWS::DynamoDB::Table", "LastUpdatedTimestamp": datetime.now(UTC),
    }  # fmt: skip
    cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": [gone]})
    assert data_of(account, Stack("homing", "arn", "ROLLBACK_COMPLETE", "", {}, {})).table == ""


def test_a_zone_that_was_there_before_is_not_the_stacks_own(account: Account) -> None:
    parameters = [{"ParameterKey": "route53ZoneId", "ParameterValue": "Z1"}]
    account.client("cloudformation").create_stack(StackName="homing", TemplateBody=TEMPLATE, Parameters=parameters)
    assert data_of(account, find_stack(account, "homing")).zone_id == ""


def test_a_table_is_deleted_even_where_it_is_protected(account: Account, stack: Stack) -> None:
    assert delete_table(account, "homing-config", lambda _: None)
    assert account.client("dynamodb").list_tables()["TableNames"] == []
    assert not delete_table(account, "homing-config", lambda _: None)


def record(account: Account, zone_id: str, name: str, kind: str, value: str) -> None:
    rrset = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": rrset}]}
    account.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)


def test_a_zone_is_deleted_with_the_records_of_hosts(account: Account) -> None:
    route53 = account.client("route53")
    made = route53.create_hosted_zone(Name="home.example", CallerReference="x")
    zone_id = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
    record(account, zone_id, "cam.home.example.", "A", "192.0.2.1")
    assert delete_zone(account, zone_id, {("cam.home.example.", "A")}) is None
    assert route53.list_hosted_zones()["HostedZones"] == []


def test_a_zone_with_records_of_somebody_else_stays_whole(account: Account) -> None:
    route53 = account.client("route53")
    made = route53.create_hosted_zone(Name="home.example", CallerReference="x")
    zone_id = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
    record(account, zone_id, "cam.home.example.", "A", "192.0.2.1")
    record(account, zone_id, "home.example.", "MX", "10 mail.example.net.")
    why = delete_zone(account, zone_id, {("cam.home.example.", "A")})
    assert why is not None
    assert "home.example. MX" in why
    left = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    assert ("cam.home.example.", "A") in {(one["Name"], one["Type"]) for one in left}
