"""Following a stack while AWS works on it: its events in order, each once, until it has come to an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.core.errors import StoreUnavailable
from homing.stack.account import CallFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from homing.stack.account import Account

POLL_SECONDS = 2.0
PATIENCE = 30
"""So many polls in a row may fail before it is given up to follow; the work itself goes on."""
_GOES_ON = "{}; the work goes on without us: `homing aws status` tells how far it is"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one resource of a stack."""

    id: str
    time: str
    """RFC 3339."""
    logical_id: str
    type: str
    status: str
    reason: str
    is_stack: bool
    """Whether it is about the stack as a whole."""

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong here, rather than being given up because of something else."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()

    @property
    def is_end(self) -> bool:
        """Whether nothing more will happen."""
        return self.is_stack and self.status.endswith(("_COMPLETE", "_FAILED"))


def newest_event(account: Account, stack_id: str) -> str | None:
    """Return the id of the last event before something is begun; None if the stack has none."""
    try:
        page = account.call("cloudformation", "describe_stack_events", StackName=stack_id)
    except CallFailed:
        return None
    return next((one["EventId"] for one in page["StackEvents"]), None)


def follow(account: Account, stack_id: str, after: str | None, sleep: Callable[[float], None]) -> Iterator[Event]:
    """Yield what happens after the event `after`, in order, until the stack has come to an end.

    Raises StoreUnavailable when AWS has not answered for a minute, or with Ctrl-C.
    """
    failures = 0
    while True:
        try:
            events = _events_after(account, stack_id, after)
            failures = 0
        except StoreUnavailable:
            failures += 1
            if failures >= PATIENCE:
                raise StoreUnavailable(_GOES_ON.format("AWS does not answer any more")) from None
            events = []
        for event in events:
            after = event.id
            yield event
            if event.is_end:
                return
        try:
            sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise StoreUnavailable(_GOES_ON.format("it is not followed any more")) from None


def _events_after(account: Account, stack_id: str, after: str | None) -> list[Event]:
    """AWS tells the newest first; read back to the one that is known."""
    found: list[Event] = []
    for one in account.pages("cloudformation", "describe_stack_events", "StackEvents", StackName=stack_id):
        if one["EventId"] == after:
            break
        found.append(_event(one))
    return found[::-1]


def _event(told: Mapping[str, Any]) -> Event:
    return Event(
        id=told["EventId"],
        time=told["Timestamp"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        logical_id=told["LogicalResourceId"],
        type=told["ResourceType"],
        status=told["ResourceStatus"],
        reason=told.get("ResourceStatusReason", ""),
        is_stack=told.get("PhysicalResourceId") == told["StackId"],
    )


_QUOTA = "too few concurrent executions are left in this account to reserve any: --param updateConcurrency=-1"
_RIGHT = "the credentials that deploy need this right; an administrator has it"
_LEFT = "it is left from before, or another stack's: deploy under another --stack NAME, or remove it"
_ADVICE = {
    "already exists": _LEFT,
    "ReservedConcurrentExecutions": _QUOTA,
    "UnreservedConcurrentExecution": _QUOTA,
    "is not authorized to perform": _RIGHT,
    "AccessDenied": _RIGHT,
    "public access": "an organisation's policy forbids public function URLs: --endpoint httpApi",
    "TooManyHostedZones": "the account may hold no more zones: ask AWS for more, or name one with --zone-id",
    "The runtime parameter": "AWS does not take this runtime any more: a newer one with --runtime",
}


def advice_for(reason: str) -> str | None:
    """Return what to do about a failure, where that is known."""
    return next((advice for words, advice in _ADVICE.items() if words.lower() in reason.lower()), None)
