"""An answer comes before Lambda ends the function, however slow AWS is and whatever moves meanwhile."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from local_aws.route53 import RecordSet

from homing.aws.errors import NoAnswer
from homing.aws.transport import HttpTransport
from homing.core.credentials import legacy_hash
from homing.core.hosts import Host
from homing.core.records import RRset
from homing.core.rows import Commit
from homing.runtimes.aws_lambda.admin import make_handler as make_admin
from homing.runtimes.aws_lambda.timing import finish_by
from homing.runtimes.aws_lambda.update import make_handler
from tests.runtimes.aws_lambda.harness import url_event
from tests.runtimes.aws_lambda.test_wired import CAM, SECRET, Cloud, cloud, moto_server

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cloud", "moto_server"]

TIMEOUT = 10.0
"""Seconds, of the update function in the template."""


class SlowCalls:
    """Has every call take its time, or time out, on a clock that nobody waits for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: dict[str, float] = {}
        self.spent = 0.0
        self.before: Callable[[str], None] = lambda _: None
        send, now = HttpTransport.send, time.time

        def slowly(
            transport: HttpTransport, method: str, target: str, headers: Any, body: bytes, timeout: float
        ) -> Any:
            operation = {name.lower(): value for name, value in headers.items()}.get("x-amz-target", "Route53")
            operation = operation.rpartition(".")[2]
            seconds = self.seconds.get(operation, self.seconds.get("*", 0.0))
            self.spent += min(seconds, timeout)
            if seconds > timeout:
                raise NoAnswer("timed out", may_have_arrived=True)
            self.before(operation)
            return send(transport, method, target, headers, body, 10.0)

        monkeypatch.setattr(HttpTransport, "send", slowly)
        monkeypatch.setattr(time, "time", lambda: now() + self.spent)

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda's context tells it."""
        return int((TIMEOUT - self.spent) * 1000)


@pytest.fixture
def slow(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> SlowCalls:
    cloud.add(Host(hostname=CAM, record_type="A", shared_secret=SECRET))
    return SlowCalls(monkeypatch)


def ask(cloud: Cloud, slow: SlowCalls) -> tuple[int, str]:
    event = url_event(f"/?mode=set&hostname={CAM}&hash={legacy_hash('8.8.8.8', CAM, SECRET)}", source="8.8.8.8")
    answer = make_handler(cloud.environment)(event, slow)
    return answer["statusCode"], json.loads(answer["body"])["return_status"]


def test_a_dns_that_moves_all_the_time_is_left_to_the_drain_in_time(cloud: Cloud, slow: SlowCalls) -> None:
    numbers = iter(range(1, 200))

    def move(operation: str) -> None:
        if operation == "Route53":
            cloud.route53.seed(cloud.zone_id, RecordSet(CAM, "A", 60, (f"192.0.2.{next(numbers)}",)))

    slow.seconds, slow.before = {"*": 0.9}, move
    assert ask(cloud, slow) == (200, "success")
    assert slow.spent < TIMEOUT
    slow.seconds, slow.before = {}, lambda _: None
    assert make_admin(cloud.environment)({"action": "drain"}, None)["status"] == "ok"
    shown = cloud.shown()
    assert shown is not None
    assert tuple(shown.values) == ("8.8.8.8",)


def test_a_row_that_moves_all_the_time_is_answered_in_time(cloud: Cloud, slow: SlowCalls) -> None:
    def move(operation: str) -> None:
        if operation == "TransactWriteItems":
            row = cloud.store.load([(CAM, "A")])[CAM, "A"]
            assert isinstance(row, Host)
            slow.before = lambda _: None
            cloud.store.commit(Commit((row.next(comment=row.comment + "."),), {row.key: row.version}))
            slow.before, slow.spent = move, slow.spent - 2 * 0.9  # that was somebody else's time

    slow.seconds, slow.before = {"*": 0.9}, move
    status, said = ask(cloud, slow)
    assert (status, said) != (200, "success")
    assert slow.spent < TIMEOUT


@pytest.mark.parametrize("operation", ["Query", "TransactWriteItems", "UpdateItem", "Route53", "*"])
def test_what_does_not_answer_at_all_is_given_up_in_time(cloud: Cloud, slow: SlowCalls, operation: str) -> None:
    slow.seconds = {"*": 0.5, operation: 60.0}
    status, said = ask(cloud, slow)
    assert slow.spent < TIMEOUT
    was_committed = operation in ("UpdateItem", "Route53")
    assert ((status, said) == (200, "success")) is was_committed


def test_the_table_is_told_even_if_route_53_took_all_of_its_time(cloud: Cloud, slow: SlowCalls) -> None:
    slow.seconds = {"Query": 0.9, "TransactWriteItems": 0.9, "Route53": 3.9, "UpdateItem": 0.9}
    assert ask(cloud, slow) == (200, "success")
    row = cloud.store.load([(CAM, "A")])[CAM, "A"]
    assert isinstance(row, Host)
    assert row.published == row.desired == RRset(60, ("8.8.8.8",))


def test_the_time_of_one_request_is_not_that_of_the_next(cloud: Cloud, slow: SlowCalls) -> None:
    handle = make_handler(cloud.environment)
    event = url_event(f"/?mode=set&hostname={CAM}&hash={legacy_hash('8.8.8.8', CAM, SECRET)}", source="8.8.8.8")
    slow.seconds = {"*": 60.0}
    assert '"fail"' in handle(event, slow)["body"]
    slow.seconds, slow.spent = {}, slow.spent + 3600.0
    assert '"success"' in handle(event, None)["body"]


def test_there_is_always_time_for_one_attempt() -> None:
    class Late:
        def get_remaining_time_in_millis(self) -> int:
            return 10

    assert finish_by(Late(), 9.0, 1.0) - time.time() == pytest.approx(1.0, abs=0.5)
    assert finish_by(None, 9.0, 1.0) - time.time() == pytest.approx(9.0, abs=0.5)
