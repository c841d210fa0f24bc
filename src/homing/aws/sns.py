"""SNS: telling a topic. One attempt a call; a notice that is lost is no harm.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homing.aws.budget import Deadline
from homing.aws.signed_transport import SignedTransport
from homing.aws.sigv4 import render_query
from homing.aws.xml_replies import parse_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from homing.aws.budget import Clock
    from homing.aws.sigv4 import Credentials
    from homing.aws.transport import Transport

MAX_SUBJECT = 99
"""Characters: "less than 100 characters long", ASCII, without line ends."""

MAX_MESSAGE = 256 * 1024
"""Octets of UTF-8."""

TIMEOUT_SECONDS = 3.0


class Sns:
    """Publishes to topics. May be used by several threads at once."""

    def __init__(
        self,
        transport: Transport,
        credentials: Callable[[], Credentials],
        clock: Clock,
        region: str,
        deadline: Deadline | None = None,
    ) -> None:
        self._transport = SignedTransport(transport, credentials, clock, service="sns", region=region)
        self._clock = clock
        self._deadline = deadline or Deadline()

    def publish(self, topic_arn: str, subject: str, message: str, timeout: float = TIMEOUT_SECONDS) -> None:
        """Send a message; subject and message are cut to what SNS takes. Raises ServiceError and NoAnswer."""
        form = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "TopicArn": topic_arn,
            "Message": message.encode()[:MAX_MESSAGE].decode(errors="ignore"),
        }
        if shown := _fit_subject(subject):
            form["Subject"] = shown
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        left = self._deadline.shorten(timeout, self._clock.now())
        reply = self._transport.send("POST", "/", headers, render_query(form.items()).encode(), left)
        if reply.status != 200:
            raise parse_error("Publish", reply)

    def close(self) -> None:
        """Close the connections. The next call opens one anew."""
        self._transport.close()


def _fit_subject(subject: str) -> str:
    shown = "".join(one if one.isascii() and one.isprintable() else "?" for one in " ".join(subject.split()))
    return shown[:MAX_SUBJECT]
