"""Change sets: what CloudFormation would do, before it does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused, StoreUnavailable
from homing.stack.stacks import get_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homing.stack.account import Account
    from homing.stack.stacks import Stack

WAIT_SECONDS = 300
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_DATA = ("AWS::DynamoDB::Table", "AWS::Route53::HostedZone")


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that would be made, changed or removed."""

    action: str
    """Add, Modify or Remove, as CloudFormation says it."""
    logical_id: str
    type: str
    replacement: bool = False
    """Whether a changed resource is made anew, and the old one removed."""

    @property
    def loses_something(self) -> bool:
        """Whether a person should look before it happens."""
        return self.action == "Remove" or self.replacement

    @property
    def holds_data(self) -> bool:
        """Whether it is a table or a zone."""
        return self.type in _DATA


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that can be executed. Without changes of resources it may still change outputs."""

    id: str
    stack: str
    is_new: bool
    changes: tuple[Change, ...] = ()
    is_empty: bool = False
    """Whether AWS said that there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Template:
    """Where CloudFormation finds the template: its text, if that is short enough, or where it was uploaded."""

    body: str | None = None
    url: str | None = None

    @property
    def arguments(self) -> dict[str, str]:
        """As CloudFormation's calls take it."""
        return {"TemplateBody": self.body} if self.body is not None else {"TemplateURL": self.url or ""}


def parameters_of(
    account: Account, template: Template, given: Mapping[str, str], stack: Stack | None
) -> list[dict[str, Any]]:
    """Return all parameters: what was given, else what the stack has, else the template's default.

    Raises Refused for a name that the template does not know.
    """
    summary = account.call("cloudformation", "get_template_summary", **template.arguments)
    known = [one["ParameterKey"] for one in summary.get("Parameters", [])]
    if unknown := [name for name in given if name not in known]:
        raise Refused(f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    before = stack.parameters if stack and not stack.is_empty else {}
    parameters: list[dict[str, Any]] = []
    for name in known:
        if name in given:
            parameters.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in before:
            parameters.append({"ParameterKey": name, "UsePreviousValue": True})
    return parameters


def create_change_set(
    account: Account,
    stack_name: str,
    template: Template,
    parameters: Sequence[Mapping[str, Any]],
    *,
    name: str,
    is_new: bool,
    sleep: Callable[[float], None],
) -> ChangeSet:
    """Ask what would change, and wait for the answer. Raises Refused if the template or a parameter is refused."""
    made = account.call(
        "cloudformation",
        "create_change_set",
        StackName=stack_name,
        ChangeSetName=name,
        ChangeSetType="CREATE" if is_new else "UPDATE",
        Parameters=list(parameters),
        Capabilities=_CAPABILITIES,
        Tags=[{"Key": "homing", "Value": stack_name}],
        **template.arguments,
    )
    for _ in range(WAIT_SECONDS):
        told = account.call("cloudformation", "describe_change_set", ChangeSetName=made["Id"])
        status, reason = told["Status"], told.get("StatusReason", "")
        if status == "CREATE_COMPLETE":
            return ChangeSet(made["Id"], stack_name, is_new, _changes(account, told))
        if status == "FAILED" and any(words in reason for words in _NOTHING):
            return ChangeSet(made["Id"], stack_name, is_new, is_empty=True)
        if status == "FAILED":
            discard(account, ChangeSet(made["Id"], stack_name, is_new))
            raise Refused(f"CloudFormation refuses the change set: {reason}")
        sleep(1.0)
    raise StoreUnavailable(f"CloudFormation has not made the change set in {WAIT_SECONDS} s: try again")


def execute(account: Account, change_set: ChangeSet) -> None:
    """Begin to do it. Follow the stack's events to see what comes of it."""
    account.call("cloudformation", "execute_change_set", ChangeSetName=change_set.id)


def discard(account: Account, change_set: ChangeSet) -> None:
    """Throw it away, and the empty stack that a first one leaves behind."""
    account.call("cloudformation", "delete_change_set", ChangeSetName=change_set.id)
    left = get_stack(account, change_set.stack) if change_set.is_new else None
    if left is not None and left.is_empty:
        account.call("cloudformation", "delete_stack", StackName=change_set.stack)


def _changes(account: Account, first: Mapping[str, Any]) -> tuple[Change, ...]:
    found = list(first.get("Changes", []))
    token = first.get("NextToken")
    while token:
        page = account.call(
            "cloudformation", "describe_change_set", ChangeSetName=first["ChangeSetId"], NextToken=token
        )
        found += page.get("Changes", [])
        token = page.get("NextToken")
    return tuple(_change(one["ResourceChange"]) for one in found if "ResourceChange" in one)


def _change(told: Mapping[str, Any]) -> Change:
    return Change(
        told["Action"],
        told["LogicalResourceId"],
        told["ResourceType"],
        told.get("Replacement") == "True" or (told.get("Replacement") == "Conditional" and _may_replace(told)),
    )


def _may_replace(told: Mapping[str, Any]) -> bool:
    """Tell whether a `Conditional` replacement has a reason of its own.

    Whatever refers to a resource that changes, as each URL and permission does to a function with new code, is listed
    as well, with `Dynamic` details. Those replace it only if the other one is replaced, which then says so itself.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html
    """
    details = told.get("Details", [])
    own = [one for one in details if one.get("Evaluation") != "Dynamic"]
    return not details or any(one.get("Target", {}).get("RequiresRecreation") != "Never" for one in own)
