"""A clock that moves only when somebody sleeps, and a transport that plays a script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homing.aws.errors import NoAnswer
from homing.aws.sigv4 import Credentials
from homing.aws.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN=="
CREDENTIALS = Credentials("AKIDEXAMPLE", SECRET_KEY, TOKEN)


def credentials() -> Credentials:
    return CREDENTIALS


class FakeClock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class ScriptedTransport:
    """Answers with one of `replies` after the other, the last one for ever; an exception is raised."""

    host = "service.example"

    def __init__(self, *replies: Reply | NoAnswer, clock: FakeClock | None = None, takes: float = 0.0) -> None:
        self.replies = list(replies)
        self.sent: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.timeouts: list[float] = []
        self.is_closed = False
        self._clock = clock
        self._takes = takes

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        self.sent.append((method, target, headers, body))
        self.timeouts.append(timeout)
        if self._clock is not None:
            self._clock.time += self._takes
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, NoAnswer):
            raise NoAnswer(str(reply), may_have_arrived=reply.may_have_arrived)
        return reply

    def close(self) -> None:
        self.is_closed = True


def json_reply(answer: Any, status: int = 200, *, repeated: bool = False) -> Reply:
    return Reply(status, {}, json.dumps(answer).encode(), repeated)


def refusal(code: str, message: str = "", status: int = 400, *, repeated: bool = False, **more: Any) -> Reply:
    """Return an error as DynamoDB words it."""
    return json_reply(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **more}, status, repeated=repeated
    )
