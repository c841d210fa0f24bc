"""What a topic is told, and that nothing of it can do harm."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from homing.app.ports import Notice
from homing.aws.errors import NoAnswer, ServiceError
from homing.aws.sns import MAX_MESSAGE, MAX_SUBJECT
from homing.notifiers.sns import MAX_MESSAGES, MAX_NOTICES, SnsNotifier

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGED = Notice("changed", "cam.example.com.", "A 192.0.2.1 -> 192.0.2.2")
FAILING = Notice("failing", "example.com.", "Throttling: Rate exceeded")
REJECTED = Notice("rejected", "tv.example.com.", "DNS rejects 192.0.2.1: no")
RECOVERED = Notice("recovered", "example.com.", "publishing works again")


class Topic:
    """Takes messages in place of SNS."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, str]] = []
        self.before: Callable[[], None] = lambda: None

    def publish(self, topic_arn: str, subject: str, message: str) -> None:
        self.before()
        self.messages.append((topic_arn, subject, message))


def make(topic: Topic, *, tells_changes: bool = True) -> SnsNotifier:
    client: Any = topic
    return SnsNotifier(client, "arn:aws:sns:eu-central-1:123456789012:home", "home", tells_changes=tells_changes)


def test_one_message_says_all_of_it() -> None:
    topic = Topic()
    make(topic).notify([CHANGED, REJECTED])
    assert topic.messages == [
        (
            "arn:aws:sns:eu-central-1:123456789012:home",
            "Homing home: cam.example.com changed and 1 more",
            """\
changed: cam.example.com.: A 192.0.2.1 -> 192.0.2.2
rejected: tv.example.com.: DNS rejects 192.0.2.1: no
""",
        )
    ]


def test_changes_are_told_only_where_they_are_asked_for() -> None:
    topic = Topic()
    notifier = make(topic, tells_changes=False)
    notifier.notify([CHANGED])
    assert topic.messages == []
    notifier.notify([CHANGED, FAILING, RECOVERED, REJECTED])
    assert "changed" not in topic.messages[0][2]
    assert topic.messages[0][2].count("\n") == 3


def test_zones_are_told_of_only_by_who_sees_them_all() -> None:
    topic = Topic()
    client: Any = topic
    notifier = SnsNotifier(client, "arn", "home", tells_changes=True, tells_zones=False)
    notifier.notify([FAILING, RECOVERED])
    assert topic.messages == []
    notifier.notify([FAILING, REJECTED, CHANGED])
    assert [line.partition(":")[0] for line in topic.messages[0][2].splitlines()] == ["rejected", "changed"]


def test_very_many_are_a_few_messages() -> None:
    topic = Topic()
    make(topic).notify([CHANGED] * 10_000)
    assert len(topic.messages) == MAX_MESSAGES
    assert "10000 in all" in topic.messages[-1][2]


def test_no_message_is_longer_than_sns_takes() -> None:
    topic = Topic()
    long = Notice("rejected", "x" * 253 + ".", "y" * 9999)
    make(topic).notify([long] * MAX_NOTICES)
    assert len(topic.messages[0][2].encode()) < MAX_MESSAGE
    assert MAX_SUBJECT < 256


@pytest.mark.parametrize(
    "error",
    [
        NoAnswer("timeout", may_have_arrived=True),
        ServiceError("AuthorizationError", "no", 403),
        ValueError("s3cret"),
    ],
)
def test_what_cannot_be_passed_on_is_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    topic = Topic()

    def fail() -> None:
        raise error

    topic.before = fail
    with caplog.at_level(logging.WARNING, "homing.notifiers"):
        make(topic).notify([CHANGED, FAILING])
    assert "2 notices were not passed on" in caplog.text


def test_nothing_is_no_message() -> None:
    topic = Topic()
    make(topic).notify([])
    assert topic.messages == []
