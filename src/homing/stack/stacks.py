"""A CloudFormation stack as it stands: its state, parameters, outputs and resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.core.errors import InvalidInput, Refused
from homing.stack.account import CallFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from homing.stack.account import Account

DEFAULT_NAME = "homing"
MAX_NAME = 56
"""Shorter than CloudFormation's 128: Lambda takes 64 characters, and a function is named `<stack>-publish`
(docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html)."""
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")


@dataclass(frozen=True, slots=True)
class Stack:
    """What `describe-stacks` says."""

    name: str
    id: str
    status: str
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever made: a change set waits to be looked at."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def is_busy(self) -> bool:
        """Whether AWS is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and not self.is_empty

    @property
    def is_usable(self) -> bool:
        """Whether it stands, and a change can begin from it."""
        return self.status.endswith("_COMPLETE") and self.status not in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")

    @property
    def endpoint(self) -> str | None:
        """The URL that clients reach, without a last slash."""
        return self.outputs.get("endpointUrl", "").rstrip("/") or None

    @property
    def table(self) -> str:
        """The name of its DynamoDB table."""
        return self.outputs.get("tableName") or f"{self.name}-config"


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a stack made."""

    logical_id: str
    physical_id: str
    type: str
    status: str


def parse_stack_name(text: str) -> str:
    """Return a stack name. Raises InvalidInput."""
    if len(text) > MAX_NAME or not _NAME.fullmatch(text):
        raise InvalidInput(
            f"{text[:40]!r} is no stack name: letters, digits and '-', a letter first, at most {MAX_NAME}"
        )
    return text


def get_stack(account: Account, name: str) -> Stack | None:
    """Return the stack, or None if there is none of this name."""
    try:
        (found,) = account.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
    except CallFailed as error:
        if error.code == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return _stack(found)


def find_stack(account: Account, name: str) -> Stack:
    """Return the stack. Raises Refused if there is none."""
    stack = get_stack(account, name)
    if stack is None or stack.is_empty:
        raise Refused(
            f"there is no stack {name} in {account.region} of account {account.id}:"
            f" `homing aws deploy ZONE --stack {name}` makes it; --region and --profile say where"
        )
    return stack


def resources_of(account: Account, name: str) -> Iterator[Resource]:
    """Yield what the stack has made."""
    listed = account.pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)
    for one in listed:
        yield Resource(
            one["LogicalResourceId"], one.get("PhysicalResourceId", ""), one["ResourceType"], one["ResourceStatus"]
        )


def _stack(found: Mapping[str, Any]) -> Stack:
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
    )
