"""The publisher function: what the stream tells of is published once, and only what waits is asked for again."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.aws.budget import Deadline
from homing.core.errors import StoreUnavailable, Throttled, Unreachable
from homing.core.names import Name
from homing.core.records import RRset
from homing.runtimes.aws_lambda import publish
from homing.runtimes.aws_lambda.publish import handler_of, make_handler, parse_records
from homing.wiring.serverless import Publishing
from tests.app.builders import NAS, ONE, OTHER_ZONE, TV, World, fail_with, make_host, make_world, once, pending
from tests.app.flaky_publisher import FlakyPublisher
from tests.conformance.publisher_contract import ZONE
from tests.runtimes.aws_lambda import harness

if TYPE_CHECKING:
    from homing.core.hosts import Host

TWO = RRset(60, ("1.1.1.2",))


@dataclass
class Stage:
    """A publisher function, and what stands around it."""

    world: World
    dns: FlakyPublisher
    deadline: Deadline = field(default_factory=Deadline)

    def run(self, *records: object, context: object = None) -> list[str]:
        """Return the sequence numbers that Lambda is to begin with again."""
        publishing = Publishing(harness.settings(), self.world.store, self.world.outbox, self.deadline)
        answer = handler_of(publishing)({"Records": list(records)}, context)
        assert list(answer) == ["batchItemFailures"]
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def make_stage(*hosts: Host) -> Stage:
    dns = FlakyPublisher()
    world = make_world(*hosts, publisher=dns, jitter=lambda: 0.0)
    world.store.loads = world.store.commits = 0
    return Stage(world, dns)


def record(host: Host, number: int, *, is_pending: bool = True) -> dict[str, Any]:
    """A record as DynamoDB Streams makes it, with the new image."""
    image: dict[str, Any] = {"hostname": {"S": host.hostname}, "record_type": {"S": host.record_type}}
    image |= {"shared_secret": {"S": host.shared_secret}, "version": {"N": "1"}}
    return {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795258800,
            "Keys": {"hostname": {"S": host.hostname}, "record_type": {"S": host.record_type}},
            "NewImage": image | ({"pending": {"N": "1"}} if is_pending else {}),
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 59,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/home-config/stream/2026-11-21T00:00:00.000",
    }


def seq(number: int) -> str:
    return f"{number:021d}"


def test_many_hosts_are_one_change_and_one_commit() -> None:
    hosts = [pending(Name(f"h{number}.{ZONE}")) for number in range(250)]
    stage = make_stage(*hosts)
    assert stage.run(*(record(host, number) for number, host in enumerate(hosts))) == []
    assert [len(call) for call in stage.dns.calls] == [250]
    assert stage.world.store.loads == 3
    assert stage.world.store.commits == 3
    assert not any(stage.world.host(host.hostname).pending for host in hosts)


def test_the_row_counts_and_not_the_image() -> None:
    stage = make_stage(pending(desired=TWO))
    assert stage.run(record(pending(desired=ONE), 1), record(pending(desired=ONE), 2)) == []
    assert stage.dns.history == [(pending().key, TWO)]


def test_what_was_published_meanwhile_is_left_alone() -> None:
    stage = make_stage(make_host(desired=ONE, published=ONE))
    assert stage.run(record(make_host(), 1), record(pending(TV), 2)) == []
    assert stage.dns.calls == []


def test_a_record_of_a_row_that_does_not_wait_is_passed_over() -> None:
    stage = make_stage(pending())
    assert stage.run(record(make_host(), 1, is_pending=False)) == []
    assert stage.world.store.loads == 0


def test_what_fails_is_asked_for_again_from_its_newest_record_on() -> None:
    other = Name(f"x.{OTHER_ZONE}")
    stage = make_stage(pending(), pending(TV), pending(other))
    stage.dns.before = once(lambda: None, fail_with(Unreachable("no answer")))
    numbers = [record(pending(other), 1), record(pending(), 2), record(pending(other), 3), record(pending(TV), 4)]
    assert stage.run(*numbers) == [seq(3)]
    assert stage.run(*numbers) == []


@pytest.mark.parametrize("error", [Unreachable("no answer"), Throttled("slower", 0.0)])
def test_all_of_a_zone_that_fails_is_asked_for_again(error: Exception) -> None:
    stage = make_stage(pending(), pending(TV))
    stage.dns.before = fail_with(error, times=1)
    assert stage.run(record(pending(), 1), record(pending(TV), 2)) == [seq(1)]
    assert stage.run(record(pending(), 1), record(pending(TV), 2)) == []
    assert stage.world.shown(TV) == "1.1.1.1"


def test_what_dns_rejects_holds_up_nobody() -> None:
    stage = make_stage(pending(), pending(TV), pending(NAS))
    stage.dns.rejected = {TV}
    assert stage.run(record(pending(), 1), record(pending(TV), 2), record(pending(NAS), 3)) == []
    assert stage.world.host(TV).rejected
    assert stage.world.shown(NAS) == "1.1.1.1"


def test_what_was_superseded_has_a_record_of_its_own() -> None:
    stage = make_stage(pending())

    def fail_and_change() -> None:
        stage.world.promise(TWO)
        raise Unreachable("no answer")

    stage.dns.before = once(fail_and_change)
    assert stage.run(record(pending(), 1)) == []
    assert stage.world.host().pending
    assert stage.run(record(pending(), 2)) == []
    assert stage.world.shown() == "1.1.1.2"


def test_a_table_that_is_down_makes_all_of_it_a_failure() -> None:
    stage = make_stage(pending(), pending(TV))
    stage.world.store.before_load = fail_with(StoreUnavailable("for now"))
    assert stage.run("malformed", record(pending(), 1), record(pending(TV), 2)) == [seq(1)]
    assert stage.dns.calls == []


def test_a_row_that_was_published_and_not_noted_is_asked_for_again() -> None:
    stage = make_stage(pending())
    stage.world.store.before_commit = fail_with(StoreUnavailable("for now"), times=1)
    assert stage.run(record(pending(), 1)) == [seq(1)]
    assert stage.run(record(pending(), 1)) == []
    assert [len(call) for call in stage.dns.calls] == [1, 1]


def test_what_was_not_foreseen_makes_all_of_it_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = make_stage(pending())
    monkeypatch.setattr(stage.world.outbox, "publish", fail_with(RuntimeError()))
    assert stage.run(record(pending(), 7)) == [seq(7)]


MALFORMED: list[object] = [
    None,
    5,
    "text",
    [],
    {},
    {"dynamodb": None},
    {"dynamodb": {"Keys": None, "SequenceNumber": "1"}},
    {"dynamodb": {"Keys": {"hostname": {"N": "1"}}, "SequenceNumber": "1"}},
    {"dynamodb": {"Keys": {"hostname": {"S": ""}, "record_type": {"S": "A"}}, "SequenceNumber": "1"}},
    {"dynamodb": {"Keys": {"hostname": {"S": "a."}, "record_type": {"S": ["A"]}}, "SequenceNumber": "1"}},
    {"dynamodb": {"Keys": {"hostname": {"S": "a."}, "record_type": {"S": "A"}}}},
    {"dynamodb": {"Keys": {"hostname": {"S": "a."}, "record_type": {"S": "A"}}, "SequenceNumber": 5}},
    {"dynamodb": {"Keys": {"hostname": {"S": "a."}, "record_type": {"S": "A"}}, "SequenceNumber": "1", "NewImage": 5}},
]


@pytest.mark.parametrize("bad", MALFORMED)
def test_a_malformed_record_holds_up_nobody(bad: object, caplog: pytest.LogCaptureFixture) -> None:
    stage = make_stage(pending())
    assert stage.run(bad, record(pending(), 1), bad) == []
    assert stage.world.shown() == "1.1.1.1"
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("event", [None, [], "text", {}, {"Records": None}, {"Records": {}}, {"Records": "x"}])
def test_an_event_without_records_is_nothing_to_do(event: object) -> None:
    assert parse_records(event) == {}


JSON = st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=2))


@given(st.lists(st.sampled_from(["Keys", "SequenceNumber", "NewImage", "hostname", "record_type", "S"])), JSON)
@settings(max_examples=100, deadline=None)
def test_no_record_breaks_the_reading(way: list[str], value: object) -> None:
    event = {"Records": [copy.deepcopy(record(pending(), 1))]}
    inner: Any = event["Records"][0]["dynamodb"]
    for step in way:
        if isinstance(inner, dict) and isinstance(inner.get(step), dict):
            inner = inner[step]
        elif isinstance(inner, dict):
            inner[step] = value
    assert isinstance(parse_records(event), dict)


def test_it_says_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(publish, "write", lambda level, fields: told.append({"level": level} | fields))
    stage = make_stage(pending(), pending(TV))
    stage.dns.rejected = {TV}
    stage.run(record(pending(), 1), record(pending(TV), 2))
    (line,) = told
    assert (line["Published"], line["Rejected"], line["LeftPending"]) == (1, 1, 0)
    names = [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert names == ["Published", "Rejected"]
    assert json.dumps(line)


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 20_000


def test_it_stops_calling_before_lambda_ends_it() -> None:
    stage = make_stage(pending())
    stage.run(record(pending(), 1), context=Context())
    assert 0 < stage.deadline.at - time.time() < 20


def test_it_is_made_without_calling_anybody() -> None:
    assert callable(make_handler(harness.ENVIRONMENT))
