"""The functions' log lines, newest last; with following, for as long as somebody watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused
from homing.stack.stacks import resources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homing.stack.account import Account

POLL_SECONDS = 3.0
LATE_SECONDS = 60
"""CloudWatch may show a line so much after its time; following looks back so far."""
FUNCTIONS = ("update", "publish", "admin")
_GROUPS = {"update": "updateLogGroup", "publish": "publisherLogGroup", "admin": "adminLogGroup"}


@dataclass(frozen=True, slots=True)
class Line:
    """What a function said. The time is in milliseconds since 1970."""

    function: str
    time: int
    text: str


def groups_of(account: Account, stack: str, functions: tuple[str, ...]) -> dict[str, str]:
    """Return the log group of each function that the stack has. Raises Refused if it has none of them."""
    made = {
        one.logical_id: one.physical_id
        for one in resources_of(account, stack)
        if one.type == "AWS::Logs::LogGroup" and one.physical_id
    }
    groups = {name: made[_GROUPS[name]] for name in functions if _GROUPS[name] in made}
    if not groups:
        raise Refused(f"the stack {stack} has no function {' or '.join(functions)}")
    return groups


def read_lines(account: Account, groups: dict[str, str], since: int) -> Iterator[Line]:
    """Yield the lines since a time, in milliseconds since 1970, of all functions in order of time."""
    found = [line for function, group in groups.items() for _, line in _events(account, function, group, since)]
    yield from sorted(found, key=lambda line: line.time)


def follow_lines(
    account: Account, groups: dict[str, str], since: int, sleep: Callable[[float], None]
) -> Iterator[Line]:
    """Yield them, and whatever comes after, each once. Never ends."""
    seen: dict[str, int] = {}
    while True:
        fresh = []
        for function, group in groups.items():
            for event_id, line in _events(account, function, group, since):
                if event_id not in seen:
                    seen[event_id] = line.time
                    fresh.append(line)
        yield from sorted(fresh, key=lambda line: line.time)
        since = max([since, *(time - LATE_SECONDS * 1000 for time in seen.values())])
        seen = {event_id: time for event_id, time in seen.items() if time >= since}
        sleep(POLL_SECONDS)


def _events(account: Account, function: str, group: str, since: int) -> Iterator[tuple[str, Line]]:
    arguments: dict[str, Any] = {"logGroupName": group, "startTime": since}
    for one in account.pages("logs", "filter_log_events", "events", **arguments):
        yield one["eventId"], Line(function, one["timestamp"], one["message"].rstrip("\n"))
