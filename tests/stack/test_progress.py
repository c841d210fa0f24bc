"""Events are shown in order, each once, until the stack has come to an end, even while AWS asks to go slower."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from homing.core.errors import StoreUnavailable
from homing.stack import progress
from homing.stack.progress import advice_for, follow, newest_event

if TYPE_CHECKING:
    from homing.stack.account import Account

STACK = "arn:aws:cloudformation:eu-central-1:1:stack/homing/x"


def event(number: int, status: str, *, reason: str = "", resource: str | None = "table") -> dict[str, Any]:
    return {
        "StackId": STACK, "EventId": f"e{number}", "StackName": "homing", "LogicalResourceId": resource or "homing",
        "PhysicalResourceId": resource or STACK, "ResourceType": "AWS::X::Y",
        "Timestamp": datetime(2026, 11, 21, 10, 0, number, tzinfo=UTC), "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }  # fmt: skip


def page(cloudformation: Any, *events: dict[str, Any], more: str | None = None) -> None:
    told: dict[str, Any] = {"StackEvents": list(events)} | ({"NextToken": more} if more else {})
    cloudformation.add_response("describe_stack_events", told)


def followed(account: Account, after: str | None) -> list[tuple[str, str]]:
    return [(one.id, one.status) for one in follow(account, STACK, after, lambda _: None)]


def test_events_come_in_order_and_once(account: Account, cloudformation: Any) -> None:
    old = event(0, "UPDATE_COMPLETE", resource=None)
    first, second = event(1, "UPDATE_IN_PROGRESS", resource=None), event(2, "UPDATE_IN_PROGRESS")
    done, end = event(3, "UPDATE_COMPLETE"), event(5, "UPDATE_COMPLETE", resource=None)
    cleanup = event(4, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", resource=None)
    page(cloudformation, old)
    assert newest_event(account, STACK) == "e0"
    page(cloudformation, second, first, old)
    page(cloudformation, second, first, old)
    page(cloudformation, end, cleanup, more="token")
    page(cloudformation, done, second, first, old)
    assert [one for one, _ in followed(account, "e0")] == ["e1", "e2", "e3", "e4", "e5"]


def test_throttling_is_waited_out(account: Account, cloudformation: Any) -> None:
    for _ in range(5):
        cloudformation.add_client_error("describe_stack_events", "Throttling", "Rate exceeded")
    page(cloudformation, event(1, "CREATE_COMPLETE", resource=None))
    assert followed(account, None) == [("e1", "CREATE_COMPLETE")]


def test_it_ends_when_aws_does_not_answer_any_more(
    account: Account, cloudformation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 2)
    for _ in range(2):
        cloudformation.add_client_error("describe_stack_events", "Throttling", "Rate exceeded")
    with pytest.raises(StoreUnavailable, match="goes on without us"):
        followed(account, None)


def test_what_was_given_up_because_of_something_else_is_no_failure(account: Account, cloudformation: Any) -> None:
    page(
        cloudformation,
        event(3, "ROLLBACK_COMPLETE", resource=None),
        event(2, "CREATE_FAILED", reason="Resource creation cancelled", resource="role"),
        event(1, "CREATE_FAILED", reason="homing-config already exists"),
    )
    events = list(follow(account, STACK, None, lambda _: None))
    assert [one.logical_id for one in events if one.is_failure] == ["table"]
    assert "another --stack NAME" in (advice_for(events[0].reason) or "")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Specified ReservedConcurrentExecutions for function decreases account's", "updateConcurrency=-1"),
        ("User: arn is not authorized to perform: iam:CreateRole", "an administrator"),
        ("The runtime parameter of python3.9 is no longer supported", "--runtime"),
    ],
)  # fmt: skip
def test_known_failures_say_what_to_do(reason: str, words: str) -> None:
    assert words in (advice_for(reason) or "")


def test_unknown_ones_say_nothing() -> None:
    assert advice_for("something new") is None


def test_whoever_stops_following_is_told_that_the_work_goes_on(account: Account, cloudformation: Any) -> None:
    page(cloudformation, event(1, "CREATE_IN_PROGRESS"))

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(StoreUnavailable, match="goes on without us: `homing aws status`"):
        list(follow(account, STACK, None, interrupt))
