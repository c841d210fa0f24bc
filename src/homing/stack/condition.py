"""How a stack is doing: its alarms, and what could not be published even after all attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from homing.stack.stacks import resources_of

if TYPE_CHECKING:
    from homing.stack.account import Account
    from homing.stack.stacks import Resource, Stack

_NAMES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of CloudWatch: OK, ALARM or INSUFFICIENT_DATA, and why."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What an operator looks at."""

    alarms: tuple[Alarm, ...]
    dead_letters: int


def condition_of(account: Account, stack: Stack) -> Condition:
    """Ask the stack's own alarms and queues. Raises Refused or StoreUnavailable."""
    resources = list(resources_of(account, stack.name))
    letters = [_count_messages(account, one) for one in resources if one.type == "AWS::SQS::Queue" and one.physical_id]
    names = [one.physical_id for one in resources if one.type == "AWS::CloudWatch::Alarm" and one.physical_id]
    alarms: list[Alarm] = []
    for start in range(0, len(names), _NAMES_AT_ONCE):
        part = names[start : start + _NAMES_AT_ONCE]
        told = account.call("cloudwatch", "describe_alarms", AlarmNames=part)["MetricAlarms"]
        alarms += [Alarm(one["AlarmName"], one["StateValue"], one.get("StateReason", "")) for one in told]
    return Condition(tuple(sorted(alarms, key=lambda alarm: alarm.name)), sum(letters))


def _count_messages(account: Account, queue: Resource) -> int:
    names = ["ApproximateNumberOfMessages"]
    told = account.call("sqs", "get_queue_attributes", QueueUrl=queue.physical_id, AttributeNames=names)
    return int(told["Attributes"]["ApproximateNumberOfMessages"])
