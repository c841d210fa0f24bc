"""The operator's function: drain, reconcile, status, and a clear word for everything else."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from homing.aws.budget import Deadline
from homing.core.errors import Throttled, Unreachable
from homing.core.hosts import MARK_SECONDS
from homing.core.names import Name
from homing.core.records import RRset
from homing.runtimes.aws_lambda import admin
from homing.runtimes.aws_lambda.admin import ActionFailed, make_handler, run
from homing.runtimes.aws_lambda.logs import configure, write
from homing.wiring.serverless import Admin, Publishing
from tests.app.builders import CAM, NAS, ONE, START, TV, World, fail_with, make_host, make_world, pending
from tests.app.flaky_publisher import FlakyPublisher
from tests.conformance.publisher_contract import ZONE
from tests.runtimes.aws_lambda import harness

if TYPE_CHECKING:
    from homing.core.hosts import Host

OTHER = RRset(60, ("9.9.9.9",))


class Stage:
    """The function over a store in memory and a DNS that a test can hinder."""

    def __init__(self, *hosts: Host, jitter: float = 0.0) -> None:
        self.dns = FlakyPublisher()
        self.world: World = make_world(*hosts, publisher=self.dns, jitter=lambda: jitter)
        publishing = Publishing(harness.settings(), self.world.store, self.world.outbox, Deadline())
        self.admin = Admin(publishing, self.world.administration)

    def run(self, event: object) -> dict[str, Any]:
        return run(event, None, lambda: self.admin)


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is logged; and nothing waits."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(admin, "write", lambda level, fields, **_: told.append(json.loads(json.dumps(fields))))
    monkeypatch.setattr(admin, "PAUSE_SECONDS", 0.0)
    return told


def metrics_of(line: dict[str, Any]) -> dict[str, float]:
    return {one["Name"]: line[one["Name"]] for one in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


# --- drain


def test_a_drain_publishes_all_that_waits(lines: list[dict[str, Any]]) -> None:
    stage = Stage(pending(), pending(TV), make_host(NAS))
    assert stage.run({"action": "drain"}) == {
        "status": "ok",
        "action": "drain",
        "drained": 2,
        "pending_age_seconds": 0,
    }
    assert stage.world.shown() == "1.1.1.1"
    assert metrics_of(lines[0]) == {"Drained": 2, "PendingAgeSeconds": 0}
    assert lines[0]["Stack"] == "home"


def test_nothing_to_drain_is_told_too(lines: list[dict[str, Any]]) -> None:
    assert Stage().run({"action": "drain"})["drained"] == 0
    assert metrics_of(lines[0]) == {"Drained": 0, "PendingAgeSeconds": 0}


def test_a_drain_goes_on_until_nothing_is_due() -> None:
    stage = Stage(*(pending(Name(f"h{number}.{ZONE}")) for number in range(30)))
    stage.dns.before = fail_with(Unreachable("no answer"), times=3)
    assert stage.run({"action": "drain"})["drained"] == 4 * 30
    assert len(stage.dns.held) == 30


def test_a_zone_that_asks_to_be_left_alone_is(lines: list[dict[str, Any]]) -> None:
    stage = Stage(pending(last_updated=int(START) - 600))
    stage.dns.before = fail_with(Throttled("slower", retry_after=30.0))
    assert stage.run({"action": "drain"})["drained"] == 1
    assert len(lines) == 1
    assert metrics_of(lines[0])["PendingAgeSeconds"] == 600


def test_a_drain_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "finish_by", lambda *_: 0.0)
    stage = Stage(pending())
    stage.dns.before = fail_with(Unreachable("no answer"))
    assert stage.run({"action": "drain"})["drained"] == 1


@pytest.mark.parametrize("level", ["warning", "error"])
def test_the_age_of_the_backlog_is_told_at_any_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    """The alarm takes silence for health."""
    monkeypatch.setattr(admin, "write", write)
    configure(level)
    Stage().run({"action": "drain"})
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert metrics_of(line)["PendingAgeSeconds"] == 0


# --- reconcile


def drifted() -> Stage:
    stage = Stage(make_host(desired=ONE, published=ONE), make_host(TV, desired=ONE, published=ONE))
    stage.dns.set(make_host().key, OTHER)
    stage.dns.set(make_host(TV).key, ONE)
    return stage


def test_reconcile_repairs_where_it_is_told_to(lines: list[dict[str, Any]]) -> None:
    stage = drifted()
    told = stage.run({"action": "reconcile", "repair": True})
    assert told == {
        "status": "ok",
        "action": "reconcile",
        "repair": True,
        "differences": 1,
        "rejected": 0,
        "purged": 0,
    }
    assert stage.world.shown() == "1.1.1.1"
    assert metrics_of(lines[0]) == {"Differences": 1, "Rejected": 0}


@pytest.mark.parametrize("event", [{"action": "reconcile"}, {"action": "reconcile", "repair": False}])
def test_reconcile_otherwise_only_tells(event: object, caplog: pytest.LogCaptureFixture) -> None:
    stage = drifted()
    with caplog.at_level(logging.WARNING):
        assert stage.run(event)["differences"] == 1
    assert stage.world.shown() == "9.9.9.9"
    assert f"{CAM} A" in caplog.text


def test_reconcile_counts_what_dns_rejects() -> None:
    stage = Stage(make_host(desired=ONE, rejected="no"))
    assert stage.run({"action": "reconcile"})["rejected"] == 1


def test_reconcile_forgets_old_marks() -> None:
    mark = make_host(removed_at=int(START) - MARK_SECONDS - 1, shared_secret="")
    stage = Stage(mark)
    assert stage.run({"action": "reconcile"})["purged"] == 0
    assert stage.run({"action": "reconcile", "repair": True})["purged"] == 1
    assert stage.world.get(mark.key) is None


# --- status, and what is no action


def test_status_tells_how_long_the_oldest_change_has_waited() -> None:
    told = Stage(pending(last_updated=int(START) - 60)).run({"action": "status"})
    assert told["status"] == "ok"
    assert told["pending_age_seconds"] == 60
    assert told["zones"] == {"example.com.": "Z1", "dyn.example.com.": "Z2"}


@pytest.mark.parametrize(
    "event",
    [None, 5, "drain", [], {}, {"action": None}, {"action": "delete"}, {"action": ["drain"]}, {"RequestType": "Create"},
     {"action": "reconcile", "repair": "false"}, {"action": "drain", "repair": 1}],
)  # fmt: skip
def test_everything_else_is_refused_in_words(event: object) -> None:
    told = make_handler({})(event, None)
    assert told["status"] == "refused"
    assert "drain" in told["error"]


@pytest.mark.parametrize("action", ["drain", "reconcile", "status"])
def test_a_table_that_is_down_is_an_error_without_details(action: str, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(pending())
    stage.world.store.close()
    with pytest.raises(ActionFailed, match="the function's log"):
        stage.run({"action": action})
    assert "the store is closed" in caplog.text


def test_dns_that_is_down_is_an_error_of_reconcile() -> None:
    stage = drifted()
    stage.dns.before_read = fail_with(Unreachable("no answer"))
    with pytest.raises(ActionFailed):
        stage.run({"action": "reconcile", "repair": True})


def test_what_was_not_foreseen_is_an_error_that_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def find_admin() -> Admin:
        raise ValueError("s3cret")

    with pytest.raises(ActionFailed) as caught:
        run({"action": "drain"}, None, find_admin)
    assert caught.value.__cause__ is None
    assert "ValueError" in caplog.text
    assert "s3cret" not in caplog.text.replace('raise ValueError("s3cret")', "")


def test_wrong_settings_are_an_error_of_the_action() -> None:
    handler = make_handler({"HOMING_LOG_LEVEL": "loud"})
    with pytest.raises(ActionFailed):
        handler({"action": "drain"}, None)


def test_it_is_put_together_once() -> None:
    handler = make_handler(harness.ENVIRONMENT | {"AWS_ENDPOINT_URL": "nonsense"})
    for _ in range(2):
        with pytest.raises(ActionFailed):
            handler({"action": "status"}, None)
