"""The names of the network within the agent: a thread that hangs or fails, orders that change, and what is kept."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from homing.client.agent.values import Ping, RunHook
from homing.client.lan.round import Round
from homing.client.update import Result, Row
from homing.core.values import replace
from homing.runtimes.agent import lan as agent_lan
from homing.runtimes.agent.accounts import Errands, Orders
from homing.runtimes.agent.lan import LanDuty
from homing.runtimes.agent.state import StateFile
from homing.settings.client import ClientSettings
from homing.settings.lan import LanSettings
from tests.runtimes.test_agent_runtime import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from homing.client.agent.values import Action

ACCOUNT = ClientSettings(server="https://ddns.example.com", names=("me.home.example",), secret="s3cret")
REFUSED = Round(Result((Row("cam.home.example.", "A", None, "refused", "locked"),)))
GOOD = Round(Result((Row("cam.home.example.", "A", "192.0.2.1", "unchanged"),)))


class Rounds:
    """Stands in for LanRounds: `script` says what each go does."""

    def __init__(self, script: Callable[[Callable[..., None]], None], report: Callable[..., None]) -> None:
        self._script = script
        self._report = report
        self.forced = 0
        self.wait = 0.0

    def force(self) -> None:
        self.wait = 0.0

    def notice(self, _: object) -> None:
        pass

    def go_if_due(self) -> None:
        if self.wait == 0:
            self.wait = 60.0
            self._script(self._report)


class Stage:
    """A duty with a loop that is turned by hand."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Callable[[], None]] = []
        self.done: list[Action] = []
        self.lines = Lines()
        self.path = folder / "agent.json"
        self.script: Callable[[Callable[..., None]], None] = lambda report: report([GOOD], 0.0)
        self.given: list[dict[str, Any]] = []
        monkeypatch.setattr(agent_lan, "LanRounds", self.rounds)
        monkeypatch.setattr(agent_lan, "open_reader", lambda _: self)
        self.orders = Orders(
            Errands(), (ACCOUNT,), self.path, "info", lan=LanSettings(), lan_accounts=(ACCOUNT,)
        )  # fmt: skip
        self.duty = self.new()

    def new(self) -> LanDuty:
        return LanDuty(StateFile(self.path), self.calls.append, self.done.append, self.lines)

    def close(self) -> None:
        """The reader is closed."""

    def rounds(self, accounts: Any, own: Any, reader: Any, lan: Any, report: Any, *, first_in: float) -> Rounds:
        self.given.append({"accounts": accounts, "own": own, "lan": lan, "first_in": first_in})
        return Rounds(self.play, report)

    def play(self, report: Callable[..., None]) -> None:
        self.script(report)

    def turn(self, count: int = 1, seconds: float = 10.0) -> None:
        """Wait for so many reports, and take them in."""
        end = time.monotonic() + seconds
        while len(self.calls) < count and time.monotonic() < end:
            time.sleep(0.005)
        assert len(self.calls) >= count, self.lines.kept
        while self.calls:
            self.calls.pop(0)()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage(tmp_path, monkeypatch)
    yield made
    made.duty.stop()


def test_a_refusal_reaches_the_owner_and_is_remembered_through_a_restart(stage: Stage) -> None:
    stage.script = lambda report: report([REFUSED], 300.0)
    stage.duty.follow(stage.orders)
    stage.turn()
    assert [one.occasion for one in stage.done if isinstance(one, RunHook)] == ["failure"]
    assert Ping(is_well=False) in stage.done
    assert stage.duty.is_failing
    stage.duty.stop()
    stage.done.clear()
    stage.duty = stage.new()
    stage.duty.follow(stage.orders)
    assert stage.duty.is_failing
    stage.turn()
    assert not [one for one in stage.done if isinstance(one, RunHook | Ping)], "it was told before the restart"
    assert 290 < stage.given[-1]["first_in"] <= 300
    stage.script = lambda report: report([GOOD], 0.0)
    stage.duty.force()
    stage.turn()
    assert [one.occasion for one in stage.done if isinstance(one, RunHook)] == ["recovery"]
    assert not stage.duty.is_failing


def test_a_round_is_made_when_the_owner_wants_one(stage: Stage) -> None:
    stage.duty.follow(stage.orders)
    stage.turn()
    stage.duty.force()
    stage.turn()


def test_new_orders_are_followed_and_what_the_old_ones_brought_is_not_heard(stage: Stage) -> None:
    go, begun = threading.Event(), threading.Event()

    def slow(report: Callable[..., None]) -> None:
        begun.set()
        go.wait(20)
        report([REFUSED], 0.0)

    stage.script = slow
    stage.duty.follow(stage.orders)
    assert begun.wait(10)
    stage.script = lambda report: report([GOOD], 0.0)
    stage.duty.follow(replace(stage.orders, lan=LanSettings(interval=60)))
    time.sleep(0.1)
    assert len(stage.given) == 1, "the old thread has to end first"
    go.set()
    stage.turn(2)
    assert stage.done == []
    assert stage.given[-1]["lan"].interval == 60
    stage.duty.follow(replace(stage.orders, lan=None))
    assert not stage.duty.is_failing
    assert stage.duty.is_alive()


def test_a_round_that_hangs_is_no_sign_of_life_and_is_written_of_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        begun.set()
        go.wait(20)

    stage.script = hang
    stage.duty.follow(stage.orders)
    assert begun.wait(10)
    assert stage.duty.is_alive()
    monkeypatch.setattr(agent_lan, "STUCK_SECONDS", -1.0)
    assert [stage.duty.is_alive() for _ in range(3)] == [False] * 3
    assert sum("hangs" in line for line in stage.lines.kept) == 1
    go.set()


def test_a_round_that_nobody_has_thought_of_does_not_end_the_thread_nor_tell_what_it_knew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_lan, "AGAIN_SECONDS", 0.05)
    failures = [ValueError("s3cret"), OSError(24, "Too many open files")]

    def fail(report: Callable[..., None]) -> None:
        if failures:
            raise failures.pop(0)
        report([GOOD], 0.0)

    stage.script = fail
    stage.duty.follow(stage.orders)
    stage.turn()
    assert "ValueError" in stage.lines.kept[0]
    assert "Too many open files" in stage.lines.kept[1]
    assert not any("s3cret" in line for line in stage.lines.kept)


def test_own_names_of_every_account_are_left_alone(stage: Stage) -> None:
    other = replace(ACCOUNT, names=("tv.home.example",), protocol="dyndns2")
    stage.duty.follow(replace(stage.orders, accounts=(ACCOUNT, other)))
    stage.turn()
    assert stage.given[0]["own"] == ["me.home.example", "tv.home.example"]
    assert stage.given[0]["accounts"] == (ACCOUNT,)
